#include "pipeline/recipe_values.h"

#include <cstdint>

#include <fmt/format.h>

#include "base/error.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/strings.h"
#include "llm/openai_api.h"
#include "llm/openai_model.h"

namespace tapir::pipeline {
namespace {

constexpr const char* kEndpoints =
    "a list like [{base_url: \"http://localhost:8000/v1\", api_key_env: NAME}]";

double read_rate(const YAML::Node& node, const std::string& where) {
  double value = 0;
  if (node.IsScalar() && YAML::convert<double>::decode(node, value) && value >= 0) return value;
  throw Error(ErrorKind::usage, where + ": expected a number of at least 0");
}

void read_field(EndpointPart& part, const std::string& key, const YAML::Node& value,
                const std::string& where) {
  if (key == "requests_per_minute") {
    part.requests_per_minute = read_rate(value, where);
  } else if (key == "tokens_per_minute") {
    part.tokens_per_minute = read_rate(value, where);
  } else if (!value.IsScalar()) {
    throw Error(ErrorKind::usage, where + ": expected text");
  } else if (key == "base_url") {
    part.base_url = llm::check_base_url(value.Scalar(), where);
  } else if (key == "api_key_env") {
    part.api_key_env = value.Scalar();
    if (!part.api_key_env.empty()) check_secret_name(part.api_key_env, where);
  } else {
    throw Error(ErrorKind::usage, where + ": unknown key of an endpoint",
                "an endpoint has base_url, api_key_env, requests_per_minute, tokens_per_minute");
  }
}

Json to_json(const YAML::Node& node) {
  if (node.IsMap()) {
    Json object = Json::object();
    for (const auto& entry : node) object[entry.first.Scalar()] = to_json(entry.second);
    return object;
  }
  if (node.IsSequence()) {
    Json list = Json::array();
    for (const YAML::Node& item : node) list.push_back(to_json(item));
    return list;
  }
  if (node.IsNull()) return nullptr;
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;  // quoted
  bool flag = false;
  std::int64_t whole = 0;
  double number = 0;
  if (YAML::convert<bool>::decode(node, flag)) return flag;
  if (YAML::convert<std::int64_t>::decode(node, whole)) return whole;
  if (YAML::convert<double>::decode(node, number)) return number;
  return text;
}

}  // namespace

std::string describe(const Range& range, const char* number) {
  if (range.high == kInfinity && range.low == -kInfinity) return number;
  if (range.high == kInfinity)
    return fmt::format("{} {} {}", number, range.low_open ? "above" : "of at least", range.low);
  return fmt::format("{} {} {} to {}", number, range.low_open ? "above" : "from", range.low,
                     range.high);
}

std::string quote(const std::string& text) {
  if (text.empty()) return "\"\"";
  const bool plain = text.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") ==
                     std::string::npos;
  if (plain) return text;
  return "\"" + replace_all(replace_all(text, "\\", "\\\\"), "\"", "\\\"") + "\"";
}

std::vector<EndpointPart> read_endpoints(const YAML::Node& node, const std::string& path) {
  std::vector<EndpointPart> endpoints;
  if (node.IsNull()) return endpoints;
  if (!node.IsSequence()) throw Mismatch{kEndpoints, /*hide=*/true};
  for (const YAML::Node& item : node) {
    const std::string where = fmt::format("{}[{}]", path, endpoints.size());
    if (!item.IsMap()) throw Mismatch{kEndpoints, /*hide=*/true};
    EndpointPart& part = endpoints.emplace_back();
    for (const auto& entry : item) {
      read_field(part, entry.first.Scalar(), entry.second, where + "." + entry.first.Scalar());
    }
    if (part.base_url.empty())
      throw Error(ErrorKind::usage, where + ": base_url is missing", "the API's address, to /v1");
  }
  return endpoints;
}

std::string show_endpoints(const std::vector<EndpointPart>& endpoints) {
  std::vector<std::string> shown;
  for (const EndpointPart& part : endpoints) {
    std::string one = "{base_url: " + quote(part.base_url);
    if (!part.api_key_env.empty()) one += ", api_key_env: " + part.api_key_env;
    if (part.requests_per_minute >= 0)
      one += fmt::format(", requests_per_minute: {}", part.requests_per_minute);
    if (part.tokens_per_minute >= 0)
      one += fmt::format(", tokens_per_minute: {}", part.tokens_per_minute);
    shown.push_back(one + "}");
  }
  return "[" + join(shown, ", ") + "]";
}

std::string read_extra_body(const YAML::Node& node, const std::string& path) {
  if (node.IsNull()) return {};
  if (!node.IsScalar() && !node.IsMap()) throw Mismatch{"fields of a request's body"};
  std::string text = node.IsMap() ? to_json(node).dump() : node.Scalar();
  llm::check_extra_body(text, path);
  return text;
}

}  // namespace tapir::pipeline
