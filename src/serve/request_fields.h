// The fields of a request's JSON object, each asked for by name and type; what nobody asked for is
// an error.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "serve/api_fault.h"

namespace tapir::serve {

// All of them: null counts as absent. ApiFault{400} naming the field, what was expected and what
// was found.
class RequestFields {
 public:
  explicit RequestFields(std::string_view body);  // ApiFault{400} when this is no JSON object

  std::optional<std::string> text(const std::string& name);
  std::optional<bool> flag(const std::string& name);
  struct Range {
    double low, high;
  };
  std::optional<double> number(const std::string& name, Range range);
  std::optional<std::int64_t> integer(const std::string& name, std::int64_t low, std::int64_t high);
  std::vector<std::string> text_or_texts(const std::string& name, std::size_t most);
  const Json* any(const std::string& name);  // null when absent

  // Known to the API, but only this value (or none) can be served.
  void only(const std::string& name, const Json& value);
  // Known to the API and without influence on the answer.
  void ignore(const std::string& name) { asked_.insert(name); }
  // ApiFault when a field is left that was not asked for.
  void finish() const;

 private:
  Json object_;
  std::set<std::string> asked_;
};

// "field: expected X, found Y"
[[noreturn]] void refuse_field(const std::string& name, const std::string& expected,
                               const Json& found);

}  // namespace tapir::serve
