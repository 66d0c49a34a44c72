#include "serve/request_fields.h"

#include <limits>

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "serve/api_text.h"

namespace tapir::serve {
namespace {

// Short, for a message.
std::string shown(const Json& value) {
  constexpr std::size_t kLongest = 60;
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

}  // namespace

void refuse_field(const std::string& name, const std::string& expected, const Json& found) {
  throw ApiFault(400, name + ": expected " + expected + ", found " + shown(found), name);
}

RequestFields::RequestFields(std::string_view body) {
  try {
    object_ = parse_json(body, "body");
  } catch (const Error& e) {
    throw ApiFault(400, std::string("the body is not JSON: ") + e.what());
  }
  if (!object_.is_object()) {
    throw ApiFault(400, "the body: expected a JSON object, found " + shown(object_));
  }
}

const Json* RequestFields::any(const std::string& name) {
  asked_.insert(name);
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> RequestFields::text(const std::string& name) {
  const Json* found = any(name);
  if (found == nullptr) return std::nullopt;
  if (!found->is_string()) refuse_field(name, "a string", *found);
  return found->get<std::string>();
}

std::optional<bool> RequestFields::flag(const std::string& name) {
  const Json* found = any(name);
  if (found == nullptr) return std::nullopt;
  if (!found->is_boolean()) refuse_field(name, "true or false", *found);
  return found->get<bool>();
}

std::optional<double> RequestFields::number(const std::string& name, Range range) {
  const Json* found = any(name);
  if (found == nullptr) return std::nullopt;
  const std::string expected = fmt::format("a number from {} to {}", range.low, range.high);
  if (!found->is_number()) refuse_field(name, expected, *found);
  const double value = found->get<double>();
  if (!(value >= range.low && value <= range.high)) refuse_field(name, expected, *found);
  return value;
}

std::optional<std::int64_t> RequestFields::integer(const std::string& name, std::int64_t low,
                                                   std::int64_t high) {
  const Json* found = any(name);
  if (found == nullptr) return std::nullopt;
  const std::string expected = fmt::format("a whole number from {} to {}", low, high);
  const bool fits = found->is_number_integer() &&
                    (!found->is_number_unsigned() ||
                     found->get<std::uint64_t>() <=
                         static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  if (!fits) refuse_field(name, expected, *found);
  const auto value = found->get<std::int64_t>();
  if (value < low || value > high) refuse_field(name, expected, *found);
  return value;
}

std::vector<std::string> RequestFields::text_or_texts(const std::string& name, std::size_t most) {
  const Json* found = any(name);
  if (found == nullptr) return {};
  if (found->is_string()) return {found->get<std::string>()};
  const std::string expected = fmt::format("a string or a list of 1 to {} strings", most);
  if (!found->is_array() || found->empty() || found->size() > most) {
    refuse_field(name, expected, *found);
  }
  std::vector<std::string> texts;
  for (const Json& item : *found) {
    if (!item.is_string()) refuse_field(name, expected, *found);
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

void RequestFields::only(const std::string& name, const Json& value) {
  const Json* found = any(name);
  if (found == nullptr || *found == value || (found->is_array() && found->empty()) ||
      (found->is_object() && found->empty())) {
    return;
  }
  throw ApiFault(400, name + " is not supported by this server, found " + shown(*found), name,
                 "unsupported_parameter");
}

void RequestFields::finish() const {
  for (const auto& [name, value] : object_.items()) {
    if (asked_.contains(name)) continue;
    std::string message = "unknown parameter " + shown(Json(name));
    const auto meant = nearest(name, {asked_.begin(), asked_.end()});
    if (meant) message += "; did you mean " + *meant + "?";
    throw ApiFault(400, message, name, "unknown_parameter");
  }
}

}  // namespace tapir::serve
