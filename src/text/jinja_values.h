// Values of Jinja templates and what filters, tests and methods make of them. Inside this folder
// only. A value is JSON; what is not defined is "discarded" JSON.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace tapir::text {

inline Json jinja_undefined() { return Json(Json::value_t::discarded); }
inline bool is_undefined(const Json& value) { return value.is_discarded(); }

bool jinja_truth(const Json& value);
// As printed; nothing for what has no text here (lists, objects).
std::optional<std::string> jinja_text(const Json& value);

// Nothing: not known for these values, or too long a text. arguments[0] is what stands before the
// filter, test or method.
std::optional<Json> jinja_filter(std::string_view name, std::span<const Json> arguments);
std::optional<bool> jinja_test(std::string_view name, std::span<const Json> arguments);
std::optional<Json> jinja_method(std::string_view name, std::span<const Json> arguments);
std::optional<Json> jinja_operator(std::string_view name, const Json& left, const Json& right);
std::optional<Json> jinja_element(const Json& of, const Json& index);
std::optional<Json> jinja_slice(const Json& of, const Json& begin, const Json& end,
                                const Json& step);

}  // namespace tapir::text
