// JSON at the edges: parsed to native types at once, with errors that say where.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace tapir {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;  // keeps the order in which keys were written

// Error{data} with `where` and the parser's reason. Invalid UTF-8 and nesting deeper than 100 are
// errors too.
Json parse_json(std::string_view text, std::string_view where);
OrderedJson parse_ordered_json(std::string_view text, std::string_view where);

// A file that holds one JSON object. Error{data} with the path.
Json read_json_object(const std::filesystem::path& path);
OrderedJson read_ordered_json_object(const std::filesystem::path& path);

// One object a line; row(object, "file:line"). Blank lines are skipped. Error{data} "file:line:
// ...".
void for_each_jsonl(const std::filesystem::path& path,
                    const std::function<void(const Json& row, const std::string& where)>& row);

// The value of key, not copied. Error{data} when there is none.
const Json& json_member(const Json& object, std::string_view key, std::string_view where);
// As T. Error{data}: "<where>: key "x": expected a string, found a number".
template <typename T>
T json_get(const Json& object, std::string_view key, std::string_view where);
template <typename T>
T json_get_or(const Json& object, std::string_view key, T fallback, std::string_view where);

// ---- implementation ----
namespace json_detail {
[[noreturn]] void wrong_type(std::string_view key, std::string_view where, const Json& found,
                             std::string_view reason);
}  // namespace json_detail

template <typename T>
T json_get(const Json& object, std::string_view key, std::string_view where) {
  const Json& found = json_member(object, key, where);
  try {
    return found.template get<T>();
  } catch (const nlohmann::json::exception& e) {
    json_detail::wrong_type(key, where, found, e.what());
  }
}

template <typename T>
T json_get_or(const Json& object, std::string_view key, T fallback, std::string_view where) {
  if (!object.is_object()) return fallback;
  const auto found = object.find(std::string(key));
  if (found == object.end() || found->is_null()) return fallback;
  return json_get<T>(object, key, where);
}

}  // namespace tapir
