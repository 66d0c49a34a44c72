#include "base/json.h"

#include "base/error.h"
#include "base/file.h"
#include "base/strings.h"

namespace tapir {
namespace {

constexpr int kMaxDepth = 100;

template <typename J>
J parse(std::string_view text, std::string_view where) {
  try {
    return J::parse(text, [&](int depth, nlohmann::detail::parse_event_t, J&) {
      if (depth > kMaxDepth) {
        throw Error(ErrorKind::data, std::string(where) + ": JSON nested deeper than 100 levels");
      }
      return true;
    });
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorKind::data, std::string(where) + ": not valid JSON: " + e.what());
  }
}

template <typename J>
J object_in(const std::filesystem::path& path) {
  J object = parse<J>(read_file(path), path.string());
  if (object.is_object()) return object;
  throw Error(ErrorKind::data,
              path.string() + ": expected a JSON object, found " + object.type_name());
}

}  // namespace

Json parse_json(std::string_view text, std::string_view where) { return parse<Json>(text, where); }

OrderedJson parse_ordered_json(std::string_view text, std::string_view where) {
  return parse<OrderedJson>(text, where);
}

Json read_json_object(const std::filesystem::path& path) { return object_in<Json>(path); }

OrderedJson read_ordered_json_object(const std::filesystem::path& path) {
  return object_in<OrderedJson>(path);
}

void for_each_jsonl(const std::filesystem::path& path,
                    const std::function<void(const Json&, const std::string&)>& row) {
  for_each_line(path, [&](std::string_view text, std::size_t number) {
    if (trim(text).empty()) return;
    const std::string where = path.string() + ":" + std::to_string(number);
    const Json object = parse_json(text, where);
    if (!object.is_object()) {
      throw Error(ErrorKind::data, where + ": expected a JSON object, found " + object.type_name(),
                  "JSON lines hold one object a line");
    }
    row(object, where);
  });
}

const Json& json_member(const Json& object, std::string_view key, std::string_view where) {
  if (object.is_object()) {
    const auto found = object.find(std::string(key));
    if (found != object.end()) return *found;
  }
  throw Error(ErrorKind::data,
              std::string(where) + ": key \"" + std::string(key) + "\" is missing");
}

namespace json_detail {

void wrong_type(std::string_view key, std::string_view where, const Json& found,
                std::string_view reason) {
  std::string shown = found.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (shown.size() > 60) shown = shown.substr(0, 60) + "...";
  throw Error(ErrorKind::data, std::string(where) + ": key \"" + std::string(key) + "\": found " +
                                   found.type_name() + " " + valid_utf8(shown) + " (" +
                                   std::string(reason) + ")");
}

}  // namespace json_detail
}  // namespace tapir
