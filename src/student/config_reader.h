// config.json on its way into a ModelConfig: which keys were looked at, and all that cannot be. No
// torch here.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace tapir::student {

class ConfigReader {
 public:
  // `where` names the file. The object must outlive the reader.
  ConfigReader(const Json& object, std::string where);

  // The value of a key; Error{data} when it is missing or of another type.
  template <typename T>
  T get(std::string_view key) {
    seen_.emplace(key);
    return json_get<T>(object_, key, where_);
  }
  // `fallback` where the key is absent or null.
  template <typename T>
  T get_or(std::string_view key, T fallback) {
    seen_.emplace(key);
    return json_get_or<T>(object_, key, std::move(fallback), where_);
  }
  // Null when the key is absent or null.
  const Json* find(std::string_view key);
  // Present, even as null: an absent key takes the default of the family's configuration class.
  bool has(std::string_view key) const { return object_.contains(key); }

  // A problem unless the key is absent, null, or this value: the only one that is implemented.
  void require(std::string_view key, const Json& only);
  void refuse(std::string_view key, const std::string& found, const std::string& expected);
  // A key that changes nothing here.
  void ignore(std::string_view key) { seen_.emplace(key); }
  // An object inside this one: its problems and unknown keys become this one's.
  void take_problems(const ConfigReader& inner, std::string_view key);

  // Keys that nobody looked at, and that say something (null says that a thing is not there).
  std::vector<std::string> unknown_keys() const;
  const std::string& where() const { return where_; }
  // Error{data} that lists all problems and all keys that nobody looked at, if there are any.
  void finish() const;

 private:
  const Json& object_;
  std::string where_;
  std::set<std::string, std::less<>> seen_;
  std::vector<std::string> problems_;
};

}  // namespace tapir::student
