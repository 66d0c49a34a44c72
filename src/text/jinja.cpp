#include "text/jinja.h"

#include <map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/jinja_parser.h"
#include "text/jinja_values.h"

namespace tapir::text {
namespace {

using Kind = JinjaNode::Kind;

// Far above what a conversation needs: a template must come to an end.
constexpr int kMostSteps = 50'000;
constexpr std::size_t kMostText = std::size_t{1} << 22;  // rendered
constexpr std::size_t kMostMade = std::size_t{1} << 26;  // bytes of all values on the way

// The day that templates fall back on which ask for today's: what is rendered must not depend on
// the day.
constexpr std::string_view kToday = "26 Jul 2024";

// raise_exception() of a template; does not leave this file.
struct Refusal {
  std::string message;
};

// What a value takes, about.
std::size_t bytes_of(const Json& value) {
  std::size_t bytes = sizeof(Json);
  if (value.is_string()) bytes += value.get_ref<const std::string&>().size();
  if (value.is_structured())
    for (const Json& part : value) bytes += bytes_of(part);
  return bytes;
}

class Rendering {
 public:
  Rendering(const std::string& where, const Json& variables) : where_(where) {
    scopes_.emplace_back();
    for (const auto& [name, value] : variables.items()) scopes_.back()[name] = value;
  }

  std::string run(const JinjaNode& root) {
    execute(root);
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const JinjaNode& node, const std::string& what) const {
    throw Error(ErrorKind::data, where_ + ":" + std::to_string(node.line) + ": " + what);
  }
  Json need(std::optional<Json> value, const JinjaNode& node, const std::string& what) const {
    if (!value) fail(node, what + " is not known here");
    return std::move(*value);
  }
  void count_step(const JinjaNode& node) {
    if (++steps_ > kMostSteps) fail(node, "the template does not come to an end");
  }
  Json* find(const std::string& name) {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      const auto found = scope->find(name);
      if (found != scope->end()) return &found->second;
    }
    return nullptr;
  }

  void write(const JinjaNode& node, std::string_view text) {
    out_ += text;
    if (out_.size() > kMostText) fail(node, "the template does not come to an end");
  }

  void execute(const JinjaNode& node);
  void print(const JinjaNode& node, const Json& value);
  void execute_loop(const JinjaNode& node);
  void bind(const JinjaNode& node, const Json& item);
  Json loop_items(const JinjaNode& node);
  void set_attribute(const JinjaNode& node);

  Json evaluate(const JinjaNode& node);
  Json value_of(const JinjaNode& node);
  Json evaluate_optional(const JinjaChild& node) {
    return node ? evaluate(*node) : jinja_undefined();
  }
  std::vector<Json> evaluate_all(const JinjaNode& node);
  Json evaluate_object(const JinjaNode& node);
  Json evaluate_unary(const JinjaNode& node);
  Json evaluate_binary(const JinjaNode& node);
  Json call(const JinjaNode& node);
  Json named_arguments(const JinjaNode& node);

  const std::string& where_;
  std::vector<std::map<std::string, Json>> scopes_;
  std::string out_;
  int steps_ = 0;
  std::size_t made_ = 0;  // bytes
};

void Rendering::print(const JinjaNode& node, const Json& value) {
  const auto text = jinja_text(value);
  if (!text) fail(node, "printing a list or an object is not known here");
  write(node, *text);
}

void Rendering::execute(const JinjaNode& node) {
  count_step(node);
  switch (node.kind) {
    case Kind::body:
      for (const JinjaChild& child : node.children) execute(*child);
      return;
    case Kind::text:
      return write(node, node.name);
    case Kind::print:
      return print(node, evaluate(*node.children[0]));
    case Kind::condition:
      if (jinja_truth(evaluate(*node.children[0]))) {
        execute(*node.children[1]);
      } else if (node.children.size() > 2) {
        execute(*node.children[2]);
      }
      return;
    case Kind::loop:
      return execute_loop(node);
    case Kind::set:
      scopes_.back()[node.name] = evaluate(*node.children[0]);
      return;
    case Kind::set_attribute:
      return set_attribute(node);
    default:
      check(false, "jinja: a statement");
  }
}

void Rendering::set_attribute(const JinjaNode& node) {
  Json value = evaluate(*node.children[0]);
  Json* object = find(node.name);
  if (object == nullptr || !object->is_object()) fail(node, node.name + " is no namespace");
  (*object)[node.names[0]] = std::move(value);
}

// The names of a loop take an item of its list.
void Rendering::bind(const JinjaNode& node, const Json& item) {
  auto& scope = scopes_.back();
  if (node.names.size() == 1) {
    scope[node.names[0]] = item;
    return;
  }
  if (!item.is_array() || item.size() != node.names.size())
    fail(node, "an item of the loop has not " + std::to_string(node.names.size()) + " parts");
  for (std::size_t i = 0; i < node.names.size(); ++i) scope[node.names[i]] = item[i];
}

// What a loop goes over, its own condition applied.
Json Rendering::loop_items(const JinjaNode& node) {
  Json list = evaluate(*node.children[0]);
  if (is_undefined(list)) list = Json::array();
  if (list.is_object()) {
    Json keys = Json::array();
    for (const auto& [key, value] : list.items()) keys.push_back(key);
    list = std::move(keys);
  }
  if (!list.is_array()) fail(node, "a loop over this is not known here");
  if (!node.children[2]) return list;
  Json kept = Json::array();
  for (const Json& item : list) {
    scopes_.emplace_back();
    bind(node, item);
    if (jinja_truth(evaluate(*node.children[2]))) kept.push_back(item);
    scopes_.pop_back();
  }
  return kept;
}

void Rendering::execute_loop(const JinjaNode& node) {
  const Json items = loop_items(node);
  const std::size_t size = items.size();
  for (std::size_t i = 0; i < size; ++i) {
    scopes_.emplace_back();
    bind(node, items[i]);
    Json& loop = scopes_.back()["loop"];
    loop = {{"index", i + 1},           {"index0", i},           {"first", i == 0},
            {"length", size},           {"last", i + 1 == size}, {"revindex", size - i},
            {"revindex0", size - i - 1}};
    if (i > 0) loop["previtem"] = items[i - 1];
    if (i + 1 < size) loop["nextitem"] = items[i + 1];
    execute(*node.children[1]);
    scopes_.pop_back();
  }
  if (size == 0 && node.children[3]) execute(*node.children[3]);
}

std::vector<Json> Rendering::evaluate_all(const JinjaNode& node) {
  std::vector<Json> values;
  for (const JinjaChild& child : node.children) values.push_back(evaluate(*child));
  return values;
}

Json Rendering::evaluate_object(const JinjaNode& node) {
  Json object = Json::object();
  for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
    const Json key = evaluate(*node.children[i]);
    if (!key.is_string()) fail(node, "a key that is no text is not known here");
    object[key.get<std::string>()] = evaluate(*node.children[i + 1]);
  }
  return object;
}

Json Rendering::evaluate_unary(const JinjaNode& node) {
  const Json value = evaluate(*node.children[0]);
  if (node.name == "not") return !jinja_truth(value);
  if (!value.is_number_integer()) fail(node, node.name + " of this is not known here");
  return node.name == "-" ? -value.get<std::int64_t>() : value.get<std::int64_t>();
}

Json Rendering::evaluate_binary(const JinjaNode& node) {
  Json left = evaluate(*node.children[0]);
  if (node.name == "and") return jinja_truth(left) ? evaluate(*node.children[1]) : left;
  if (node.name == "or") return jinja_truth(left) ? left : evaluate(*node.children[1]);
  const Json right = evaluate(*node.children[1]);
  return need(jinja_operator(node.name, left, right), node, "'" + node.name + "' of these values");
}

Json Rendering::named_arguments(const JinjaNode& node) {
  Json object = Json::object();
  const std::size_t first = node.children.size() - node.names.size();
  if (first > 0) fail(node, node.name + "() takes named arguments only");
  for (std::size_t i = 0; i < node.names.size(); ++i)
    object[node.names[i]] = evaluate(*node.children[i]);
  return object;
}

Json Rendering::call(const JinjaNode& node) {
  if (node.name == "namespace" || node.name == "dict") return named_arguments(node);
  const std::vector<Json> arguments = evaluate_all(node);
  if (node.name == "raise_exception")
    throw Refusal{arguments.empty() ? "" : jinja_text(arguments[0]).value_or("")};
  if (node.name == "strftime_now" && arguments == std::vector<Json>{"%d %b %Y"})
    return std::string(kToday);
  if (node.name == "range" && !arguments.empty() && arguments.size() < 3) {
    Json list = Json::array();
    for (const Json& argument : arguments)
      if (!argument.is_number_integer()) fail(node, "range() of this is not known here");
    const auto begin = arguments.size() == 2 ? arguments[0].get<std::int64_t>() : 0;
    for (auto i = begin; i < arguments.back().get<std::int64_t>(); ++i) {
      count_step(node);
      list.push_back(i);
    }
    return list;
  }
  fail(node, node.name + "() is not known here");
}

// Values may double at every step: what they take is counted, copies too.
Json Rendering::evaluate(const JinjaNode& node) {
  count_step(node);
  Json value = value_of(node);
  made_ += bytes_of(value);
  if (made_ > kMostMade) fail(node, "the template makes too much of what it is given");
  return value;
}

Json Rendering::value_of(const JinjaNode& node) {
  switch (node.kind) {
    case Kind::constant:
      return node.value;
    case Kind::variable: {
      const Json* found = find(node.name);
      return found != nullptr ? *found : jinja_undefined();
    }
    case Kind::list:
      return Json(evaluate_all(node));
    case Kind::object:
      return evaluate_object(node);
    case Kind::attribute:
      return need(jinja_element(evaluate(*node.children[0]), node.name), node,
                  "." + node.name + " of something undefined");
    case Kind::element:
      return need(jinja_element(evaluate(*node.children[0]), evaluate(*node.children[1])), node,
                  "this index");
    case Kind::slice:
      return need(
          jinja_slice(evaluate(*node.children[0]), evaluate_optional(node.children[1]),
                      evaluate_optional(node.children[2]), evaluate_optional(node.children[3])),
          node, "this slice");
    case Kind::call:
      return call(node);
    case Kind::method:
      return need(jinja_method(node.name, evaluate_all(node)), node, "." + node.name + "()");
    case Kind::filter:
      if (!node.names.empty()) fail(node, "named arguments of a filter are not known here");
      return need(jinja_filter(node.name, evaluate_all(node)), node, "filter " + node.name);
    case Kind::test: {
      const auto answer = jinja_test(node.name, evaluate_all(node));
      if (!answer) fail(node, "test " + node.name + " is not known here");
      return *answer;
    }
    case Kind::unary:
      return evaluate_unary(node);
    case Kind::binary:
      return evaluate_binary(node);
    case Kind::choice:
      if (jinja_truth(evaluate(*node.children[1]))) return evaluate(*node.children[0]);
      return node.children.size() > 2 ? evaluate(*node.children[2]) : jinja_undefined();
    default:
      check(false, "jinja: an expression");
      return {};
  }
}

}  // namespace

JinjaTemplate::JinjaTemplate(std::string_view source, std::string where)
    : where_(std::move(where)), root_(parse_jinja(source, where_)) {}

JinjaResult JinjaTemplate::render(const Json& variables) const {
  try {
    return {Rendering(where_, variables).run(*root_), {}};
  } catch (const Refusal& refusal) {
    return {std::nullopt, refusal.message};
  }
}

}  // namespace tapir::text
