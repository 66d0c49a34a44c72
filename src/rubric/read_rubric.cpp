#include "rubric/read_rubric.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::rubric {
namespace {

[[noreturn]] void fail(const std::string& where, const std::string& what) {
  throw Error(ErrorKind::data, where + ": " + what,
              "docs/rubrics.md lists the kinds of components and what each takes");
}

void check_keys(const Json& object, const std::string& where) {
  static const std::vector<std::string> known = {"id",          "kind",    "weight", "at_least",
                                                 "at_most",     "exactly", "value",  "values",
                                                 "whole_words", "place",   "text"};
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const auto near = nearest(key, known);
    fail(where,
         fmt::format("unknown key \"{}\"; {}", key,
                     near ? "did you mean \"" + *near + "\"?" : "known: " + join(known, ", ")));
  }
}

std::optional<std::int64_t> bound(const Json& object, const char* key, const std::string& where) {
  if (!object.contains(key)) return std::nullopt;
  const Json& value = object[key];
  if (!value.is_number_integer())
    fail(where, fmt::format("{}: expected a whole number, found {}", key, value.dump()));
  return value.get<std::int64_t>();
}

Bounds bounds_of(const Json& object, const std::string& where) {
  const auto exactly = bound(object, "exactly", where);
  Bounds bounds = {bound(object, "at_least", where), bound(object, "at_most", where)};
  if (exactly && bounds.any()) fail(where, "\"exactly\" beside \"at_least\" or \"at_most\"");
  if (exactly) return {exactly, exactly};
  return bounds;
}

std::vector<std::string> values_of(const Json& object, const std::string& where) {
  if (object.contains("value") && object.contains("values"))
    fail(where, "\"value\" beside \"values\"");
  if (object.contains("value")) return {json_get<std::string>(object, "value", where)};
  return json_get_or<std::vector<std::string>>(object, "values", {}, where);
}

Component read_component(const Json& object, std::size_t number, const std::string& row) {
  std::string where = fmt::format("{}: component {}", row, number);
  if (!object.is_object())
    fail(where, "expected an object, found " + std::string(object.type_name()));
  Component component;
  component.id = json_get_or<std::string>(object, "id", fmt::format("c{}", number), where);
  where += " (" + component.id + ")";
  check_keys(object, where);
  component.kind = json_get<std::string>(object, "kind", where);
  component.weight = json_get_or<double>(object, "weight", 1, where);
  component.bounds = bounds_of(object, where);
  component.values = values_of(object, where);
  component.whole_words = json_get_or<bool>(object, "whole_words", true, where);
  component.place = bound(object, "place", where).value_or(1);
  component.text = json_get_or<std::string>(object, "text", "", where);
  if (const std::string fault = fault_of(component); !fault.empty()) fail(where, fault);
  return component;
}

Rubric read_components(const Json& list, const std::string& where) {
  if (!list.is_array())
    fail(where, "components: expected a list, found " + std::string(list.type_name()));
  Rubric rubric;
  std::set<std::string> ids;
  for (const Json& object : list) {
    rubric.push_back(read_component(object, rubric.size() + 1, where));
    if (!ids.insert(rubric.back().id).second)
      fail(where,
           fmt::format("component {}: the id \"{}\" came before", rubric.size(), rubric.back().id));
  }
  return rubric;
}

Rubric read_ifeval(const Json& row, const std::string& where) {
  const auto names = json_get<std::vector<std::string>>(row, "instruction_id_list", where);
  const Json& arguments = json_member(row, "kwargs", where);
  if (!arguments.is_array() || arguments.size() != names.size()) {
    fail(where, fmt::format("kwargs: expected a list as long as instruction_id_list ({}), found {}",
                            names.size(),
                            arguments.is_array() ? std::to_string(arguments.size())
                                                 : std::string(arguments.type_name())));
  }
  Rubric rubric;
  for (const std::string& name : names) {
    Component component = read_ifeval_instruction(name, arguments[rubric.size()], where);
    const std::string plain = replace_all(replace_all(name, ":", "-"), "_", "-");
    component.id = fmt::format("{}-{}", rubric.size() + 1, plain);
    if (const std::string fault = fault_of(component); !fault.empty())
      fail(where, name + ": " + fault);
    rubric.push_back(std::move(component));
  }
  return rubric;
}

}  // namespace

Rubric read_rubric(const Json& row, const std::string& where) {
  const bool components = row.contains("components") && !row["components"].is_null();
  const bool ifeval = row.contains("instruction_id_list") && !row["instruction_id_list"].is_null();
  if (components && ifeval) fail(where, "\"components\" beside \"instruction_id_list\"");
  if (components) return read_components(row["components"], where);
  if (ifeval) return read_ifeval(row, where);
  return {};
}

Json rubric_to_json(const Rubric& rubric) {
  Json list = Json::array();
  for (const Component& one : rubric) {
    Json out = {{"id", one.id}, {"kind", one.kind}};
    if (one.weight != 1) out["weight"] = one.weight;
    if (one.bounds.at_least) out["at_least"] = *one.bounds.at_least;
    if (one.bounds.at_most) out["at_most"] = *one.bounds.at_most;
    if (!one.values.empty()) out["values"] = one.values;
    if (!one.whole_words) out["whole_words"] = false;
    if (one.place != 1) out["place"] = one.place;
    if (!one.text.empty()) out["text"] = one.text;
    list.push_back(std::move(out));
  }
  return list;
}

}  // namespace tapir::rubric
