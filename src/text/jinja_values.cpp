#include "text/jinja_values.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "base/strings.h"
#include "text/white_space.h"

namespace tapir::text {
namespace {

using Arguments = std::span<const Json>;

// Of a text that one step makes out of others.
constexpr std::size_t kMostText = std::size_t{1} << 22;

const std::string& text_of(const Json& value) { return value.get_ref<const std::string&>(); }

Json argument(Arguments arguments, std::size_t index) {
  return index < arguments.size() ? arguments[index] : jinja_undefined();
}

// Characters of `set` taken off; without a set white space.
std::string strip(std::string_view text, const Json& set, bool left, bool right) {
  if (!set.is_string()) {
    if (left) text = strip_space_left(text);
    if (right) text = strip_space_right(text);
    return std::string(text);
  }
  const std::string& characters = text_of(set);
  const auto in_set = [&](char c) { return characters.find(c) != characters.npos; };
  while (left && !text.empty() && in_set(text.front())) text.remove_prefix(1);
  while (right && !text.empty() && in_set(text.back())) text.remove_suffix(1);
  return std::string(text);
}

Json split_text(const std::string& text, const Json& separator) {
  Json parts = Json::array();
  if (!separator.is_string() || text_of(separator).empty()) {
    for (std::string& part : split_whitespace(text)) parts.push_back(std::move(part));
    return parts;
  }
  const std::string& mark = text_of(separator);
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find(mark, begin)) != text.npos; begin = end + mark.size())
    parts.push_back(text.substr(begin, end - begin));
  parts.push_back(text.substr(begin));
  return parts;
}

std::optional<std::string> join_texts(const Json& list, const std::string& separator) {
  std::string out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto text = jinja_text(list[i]);
    if (!text) return std::nullopt;
    if (i > 0) out += separator;
    out += *text;
    if (out.size() > kMostText) return std::nullopt;
  }
  return out;
}

std::optional<Json> replace_text(const std::string& text, const std::string& from,
                                 const std::string& to) {
  if (from.empty() || text.size() / from.size() * to.size() > kMostText) return std::nullopt;
  return replace_all(text, from, to);
}

std::string upper_ascii(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

Json pairs_of(const Json& object) {
  Json pairs = Json::array();
  for (const auto& [key, value] : object.items()) pairs.push_back(Json::array({key, value}));
  return pairs;
}

// selectattr("role", "equalto", "user"): those whose attribute passes the test.
std::optional<Json> select_attribute(Arguments arguments, bool wanted) {
  const Json& list = arguments[0];
  const Json name = argument(arguments, 1);
  if (!list.is_array() || !name.is_string()) return std::nullopt;
  Json kept = Json::array();
  for (const Json& item : list) {
    const auto attribute = jinja_element(item, name);
    if (!attribute) return std::nullopt;
    bool passes = jinja_truth(*attribute);
    if (arguments.size() > 2) {
      std::vector<Json> checked = {*attribute};
      checked.insert(checked.end(), arguments.begin() + 3, arguments.end());
      if (!arguments[2].is_string()) return std::nullopt;
      const auto answer = jinja_test(text_of(arguments[2]), checked);
      if (!answer) return std::nullopt;
      passes = *answer;
    }
    if (passes == wanted) kept.push_back(item);
  }
  return kept;
}

std::optional<Json> filter_text(std::string_view name, Arguments arguments) {
  const std::string& text = text_of(arguments[0]);
  if (name == "trim") return strip(text, argument(arguments, 1), true, true);
  if (name == "upper") return upper_ascii(text);
  if (name == "lower") return lower_ascii(text);
  if (name == "string" || name == "safe") return text;
  if (name == "length" || name == "count") return count_code_points(text);
  if (name == "replace") return jinja_method("replace", arguments);
  return std::nullopt;
}

std::optional<Json> filter_list(std::string_view name, Arguments arguments) {
  const Json& list = arguments[0];
  if (name == "length" || name == "count") return list.size();
  if (name == "list") return list;
  if (name == "first") return list.empty() ? jinja_undefined() : list.front();
  if (name == "last") return list.empty() ? jinja_undefined() : list.back();
  if (name == "selectattr") return select_attribute(arguments, true);
  if (name == "rejectattr") return select_attribute(arguments, false);
  if (name == "join") {
    const Json separator = argument(arguments, 1);
    const auto text = join_texts(list, separator.is_string() ? text_of(separator) : "");
    return text ? std::optional<Json>(*text) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<Json> add(const Json& left, const Json& right) {
  if (left.is_string() && right.is_string()) return text_of(left) + text_of(right);
  if (left.is_number_integer() && right.is_number_integer())
    return left.get<std::int64_t>() + right.get<std::int64_t>();
  if (left.is_array() && right.is_array()) {
    Json sum = left;
    sum.insert(sum.end(), right.begin(), right.end());
    return sum;
  }
  return std::nullopt;
}

// Whole numbers, as Python has them: rounded down, the remainder with the divisor's sign.
std::optional<Json> arithmetic(std::string_view name, std::int64_t left, std::int64_t right) {
  constexpr std::int64_t kLargest = 1'000'000'000;
  if (std::abs(left) > kLargest || std::abs(right) > kLargest) return std::nullopt;
  if (name == "-") return left - right;
  if (name == "*") return left * right;
  if (right == 0) return std::nullopt;
  const std::int64_t remainder = ((left % right) + right) % right;
  if (name == "%") return remainder;
  if (name == "//") return (left - remainder) / right;
  return std::nullopt;
}

bool equal(const Json& left, const Json& right) {
  return !is_undefined(left) && !is_undefined(right) && left == right;
}

std::optional<bool> contains(const Json& list, const Json& item) {
  if (list.is_string()) {
    if (!item.is_string()) return std::nullopt;
    return text_of(list).find(text_of(item)) != std::string::npos;
  }
  if (list.is_object()) return item.is_string() && list.contains(text_of(item));
  if (list.is_array()) {
    return std::any_of(list.begin(), list.end(), [&](const Json& one) { return equal(one, item); });
  }
  return std::nullopt;
}

}  // namespace

bool jinja_truth(const Json& value) {
  if (is_undefined(value) || value.is_null()) return false;
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number()) return value.get<double>() != 0;
  return value.is_string() ? !text_of(value).empty() : !value.empty();
}

std::optional<std::string> jinja_text(const Json& value) {
  if (is_undefined(value)) return std::string();
  if (value.is_null()) return "None";
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_string()) return text_of(value);
  if (value.is_number_integer()) return value.dump();
  return std::nullopt;
}

std::optional<Json> jinja_filter(std::string_view name, Arguments arguments) {
  const Json& value = arguments[0];
  if (name == "default" || name == "d") {
    const bool missing =
        is_undefined(value) || (jinja_truth(argument(arguments, 2)) && !jinja_truth(value));
    if (!missing) return value;
    return arguments.size() > 1 ? arguments[1] : Json("");
  }
  if (name == "tojson" && (value.is_string() || value.is_number() || value.is_boolean()))
    return value.dump();
  if (value.is_string()) return filter_text(name, arguments);
  if (value.is_array()) return filter_list(name, arguments);
  if (name == "string" || name == "trim") {
    const auto text = jinja_text(value);
    return text ? std::optional<Json>(*text) : std::nullopt;
  }
  if (value.is_object() && name == "items") return pairs_of(value);
  if (value.is_object() && (name == "length" || name == "count")) return value.size();
  if (is_undefined(value) && (name == "length" || name == "count")) return 0;
  if (is_undefined(value) && (name == "list" || name == "selectattr")) return Json::array();
  return std::nullopt;
}

std::optional<bool> jinja_test(std::string_view name, Arguments arguments) {
  const Json& value = arguments[0];
  if (name == "defined") return !is_undefined(value);
  if (name == "undefined") return is_undefined(value);
  if (name == "none") return !is_undefined(value) && value.is_null();
  if (name == "string") return value.is_string();
  if (name == "mapping") return value.is_object();
  if (name == "sequence" || name == "iterable")
    return value.is_string() || value.is_array() || value.is_object();
  if (name == "number") return value.is_number();
  if (name == "integer") return value.is_number_integer();
  if (name == "boolean") return value.is_boolean();
  if (name == "true") return value.is_boolean() && value.get<bool>();
  if (name == "false") return value.is_boolean() && !value.get<bool>();
  if (arguments.size() > 1 && (name == "equalto" || name == "eq" || name == "sameas"))
    return equal(value, arguments[1]);
  if (arguments.size() > 1 && name == "ne") return !equal(value, arguments[1]);
  if (arguments.size() > 1 && name == "in") return contains(arguments[1], value);
  if (!value.is_number_integer()) return std::nullopt;
  if (name == "even") return value.get<std::int64_t>() % 2 == 0;
  if (name == "odd") return value.get<std::int64_t>() % 2 != 0;
  return std::nullopt;
}

std::optional<Json> jinja_method(std::string_view name, Arguments arguments) {
  const Json& value = arguments[0];
  const Json first = argument(arguments, 1);
  if (value.is_object()) {
    if (name == "items") return pairs_of(value);
    if (name != "get" || !first.is_string()) return std::nullopt;
    if (value.contains(text_of(first))) return value[text_of(first)];
    return arguments.size() > 2 ? arguments[2] : Json();
  }
  if (!value.is_string()) return std::nullopt;
  const std::string& text = text_of(value);
  if (name == "strip") return strip(text, first, true, true);
  if (name == "lstrip") return strip(text, first, true, false);
  if (name == "rstrip") return strip(text, first, false, true);
  if (name == "upper" || name == "lower") return filter_text(name, arguments);
  if (name == "split" && arguments.size() <= 2) return split_text(text, first);
  if (!first.is_string()) return std::nullopt;
  if (name == "startswith") return text.starts_with(text_of(first));
  if (name == "endswith") return text.ends_with(text_of(first));
  if (name == "replace" && arguments.size() == 3 && arguments[2].is_string())
    return replace_text(text, text_of(first), text_of(arguments[2]));
  return std::nullopt;
}

std::optional<Json> jinja_operator(std::string_view name, const Json& left, const Json& right) {
  if (name == "==") return equal(left, right);
  if (name == "!=") return !equal(left, right);
  if (name == "+") return add(left, right);
  if (name == "~") {
    const auto first = jinja_text(left);
    const auto second = jinja_text(right);
    return first && second ? std::optional<Json>(*first + *second) : std::nullopt;
  }
  if (name == "in" || name == "not in") {
    const auto found = contains(right, left);
    return found ? std::optional<Json>(*found == (name == "in")) : std::nullopt;
  }
  const bool comparable =
      (left.is_number() && right.is_number()) || (left.is_string() && right.is_string());
  if (comparable && name == "<") return left < right;
  if (comparable && name == "<=") return left <= right;
  if (comparable && name == ">") return left > right;
  if (comparable && name == ">=") return left >= right;
  if (left.is_number_integer() && right.is_number_integer())
    return arithmetic(name, left.get<std::int64_t>(), right.get<std::int64_t>());
  return std::nullopt;
}

std::optional<Json> jinja_element(const Json& of, const Json& index) {
  if (is_undefined(of)) return std::nullopt;
  if (index.is_string()) {
    if (!of.is_object()) return jinja_undefined();
    const auto found = of.find(text_of(index));
    return found == of.end() ? jinja_undefined() : *found;
  }
  if (!index.is_number_integer() || !of.is_array()) return std::nullopt;
  auto at = index.get<std::int64_t>();
  if (at < 0) at += static_cast<std::int64_t>(of.size());
  if (at < 0 || at >= static_cast<std::int64_t>(of.size())) return jinja_undefined();
  return of[static_cast<std::size_t>(at)];
}

std::optional<Json> jinja_slice(const Json& of, const Json& begin, const Json& end,
                                const Json& step) {
  const bool text = of.is_string();
  if (!text && !of.is_array()) return std::nullopt;
  for (const Json* part : {&begin, &end, &step}) {
    if (!is_undefined(*part) && !part->is_null() && !part->is_number_integer()) return std::nullopt;
  }
  const std::int64_t stride = step.is_number_integer() ? step.get<std::int64_t>() : 1;
  if (stride != 1 && stride != -1) return std::nullopt;
  const auto size = static_cast<std::int64_t>(text ? text_of(of).size() : of.size());
  if (stride == -1 && (begin.is_number() || end.is_number())) return std::nullopt;
  const auto place = [&](const Json& part, std::int64_t fallback) {
    if (!part.is_number_integer()) return fallback;
    const auto at = part.get<std::int64_t>();
    return std::clamp<std::int64_t>(at < 0 ? at + size : at, 0, size);
  };
  const std::int64_t from = place(begin, 0);
  const std::int64_t to = std::max(from, place(end, size));
  if (text) {
    // Bytes: where they are characters.
    if (stride != 1 || count_code_points(text_of(of)) != text_of(of).size()) return std::nullopt;
    return text_of(of).substr(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from));
  }
  Json part = Json::array();
  for (std::int64_t i = from; i < to; ++i) part.push_back(of[static_cast<std::size_t>(i)]);
  if (stride == -1) std::reverse(part.begin(), part.end());
  return part;
}

}  // namespace tapir::text
