#include "student/config_reader.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::student {

ConfigReader::ConfigReader(const Json& object, std::string where)
    : object_(object), where_(std::move(where)) {
  if (!object.is_object()) {
    throw Error(ErrorKind::data,
                where_ + ": expected a JSON object, found " + std::string(object.type_name()));
  }
}

const Json* ConfigReader::find(std::string_view key) {
  seen_.emplace(key);
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void ConfigReader::require(std::string_view key, const Json& only) {
  const Json* found = find(key);
  if (found != nullptr && *found != only) refuse(key, found->dump(), only.dump());
}

void ConfigReader::refuse(std::string_view key, const std::string& found,
                          const std::string& expected) {
  problems_.push_back("key \"" + std::string(key) + "\": found " + found + ", expected " +
                      expected);
}

void ConfigReader::take_problems(const ConfigReader& inner, std::string_view key) {
  for (const std::string& problem : inner.problems_)
    problems_.push_back(std::string(key) + ": " + problem);
  for (const std::string& unknown : inner.unknown_keys())
    problems_.push_back(std::string(key) + ": unknown key \"" + unknown + "\"");
}

std::vector<std::string> ConfigReader::unknown_keys() const {
  std::vector<std::string> unknown;
  for (const auto& [key, value] : object_.items()) {
    if (!seen_.contains(key) && !value.is_null()) unknown.push_back(key);
  }
  return unknown;
}

void ConfigReader::finish() const {
  std::vector<std::string> all = problems_;
  const std::vector<std::string> unknown = unknown_keys();
  if (!unknown.empty()) {
    std::string text = "unknown key";
    text += unknown.size() == 1 ? " \"" : "s \"";
    text += join(unknown, "\", \"");
    all.push_back(text += "\"");
  }
  if (all.empty()) return;
  throw Error(ErrorKind::data, where_ + ": " + join(all, "; "),
              "docs/students.md lists what is supported; a key that changes nothing in the model "
              "may be removed from the file");
}

}  // namespace tapir::student
