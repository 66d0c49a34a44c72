#include "evaluate/alpaca_records.h"

#include <functional>
#include <set>
#include <type_traits>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::evaluate {
namespace {

// NaN and the infinities, which Python's json writes and JSON does not have, become null.
std::string without_nan(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      out += c;
      if (c == '\\' && i + 1 < text.size()) out += text[++i];
      in_string = c != '"';
      continue;
    }
    in_string = c == '"';
    bool replaced = false;
    if (c == 'N' || c == '-' || c == 'I') {
      for (const std::string_view word : {"NaN", "-Infinity", "Infinity"}) {
        if (text.compare(i, word.size(), word) != 0) continue;
        out += "null";
        i += word.size() - 1;
        replaced = true;
        break;
      }
    }
    if (!replaced) out += c;
  }
  return out;
}

std::string row_name(const std::string& name, std::size_t number) {
  return name + ": row " + std::to_string(number);
}

// The rows of a JSON array, or of JSON lines.
template <typename J>
void for_each_row(const std::string& raw, const std::string& name,
                  const std::function<void(const J&, const std::string& where)>& take) {
  const std::string text = without_nan(raw);
  const auto parsed = [](std::string_view part, const std::string& where) {
    if constexpr (std::is_same_v<J, Json>) return parse_json(part, where);
    if constexpr (!std::is_same_v<J, Json>) return parse_ordered_json(part, where);
  };
  std::size_t number = 0;
  const auto take_row = [&](const J& row) {
    const std::string where = row_name(name, ++number);
    if (!row.is_object()) {
      throw Error(ErrorKind::data, where + ": expected an object, found " + row.type_name());
    }
    take(row, where);
  };
  if (trim(text).starts_with('[')) {
    for (const J& row : parsed(text, name)) take_row(row);
  } else {
    for (const std::string& line : split(text, '\n')) {
      if (!trim(line).empty()) take_row(parsed(line, row_name(name, number + 1)));
    }
  }
  if (number == 0) throw Error(ErrorKind::data, name + " has no rows");
}

// The likeliest first tokens of a raw completion, and its text.
void read_completion(const Json& completion, const std::string& where, Annotation& annotation) {
  if (completion.is_string()) annotation.reply = completion.get<std::string>();
  if (!completion.is_object()) return;
  annotation.reply = json_get_or<std::string>(completion, "text", "", where);
  const Json logprobs = json_get_or<Json>(completion, "logprobs", Json(), where);
  const Json content = json_get_or<Json>(logprobs, "content", Json(), where);
  if (!content.is_array() || content.empty()) return;
  const Json top = json_get_or<Json>(content.front(), "top_logprobs", Json(), where);
  if (!top.is_array()) return;
  for (const Json& token : top) {
    annotation.first_tokens.push_back(
        {json_get<std::string>(token, "token", where), json_get<double>(token, "logprob", where)});
  }
}

OrderedJson bytes_of(const std::string& token) {
  OrderedJson bytes = OrderedJson::array();
  for (const char c : token) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

OrderedJson token_json(const llm::TokenLogprob& token) {
  return {{"token", token.token}, {"bytes", bytes_of(token.token)}, {"logprob", token.logprob}};
}

// As the OpenAI API gives a choice, so that alpaca_eval's own reader takes it.
OrderedJson completion_json(const Annotation& annotation) {
  if (annotation.first_tokens.empty() && annotation.reply.empty()) return nullptr;
  OrderedJson logprobs = nullptr;
  if (!annotation.first_tokens.empty()) {
    OrderedJson token = {{"token", annotation.reply}, {"logprob", nullptr}};
    OrderedJson top = OrderedJson::array();
    for (const llm::TokenLogprob& one : annotation.first_tokens) {
      top.push_back(token_json(one));
      if (one.token == annotation.reply) token["logprob"] = one.logprob;
    }
    token["bytes"] = bytes_of(annotation.reply);
    token["top_logprobs"] = std::move(top);
    logprobs = {{"content", OrderedJson::array({std::move(token)})}};
  }
  return {{"index", 0},
          {"logprobs", std::move(logprobs)},
          {"message", {{"content", annotation.reply}, {"role", "assistant"}}},
          {"text", annotation.reply}};
}

}  // namespace

bool is_preference(double value) { return value >= 1 && value <= 2; }

std::vector<ModelOutput> read_model_outputs(const std::string& text, const std::string& name) {
  std::vector<ModelOutput> outputs;
  for_each_row<Json>(text, name, [&](const Json& row, const std::string& where) {
    outputs.push_back({json_get<std::string>(row, "instruction", where),
                       json_get<std::string>(row, "output", where),
                       json_get_or<std::string>(row, "generator", "", where),
                       json_get_or<std::string>(row, "dataset", "", where), where});
  });
  return outputs;
}

std::vector<Annotation> read_annotations(const std::string& text, const std::string& name) {
  std::vector<Annotation> annotations;
  for_each_row<Json>(text, name, [&](const Json& row, const std::string& where) {
    Annotation a;
    a.instruction = json_get<std::string>(row, "instruction", where);
    a.dataset = json_get_or<std::string>(row, "dataset", "", where);
    a.output_1 = json_get<std::string>(row, "output_1", where);
    a.output_2 = json_get<std::string>(row, "output_2", where);
    a.generator_1 = json_get_or<std::string>(row, "generator_1", "baseline", where);
    a.generator_2 = json_get_or<std::string>(row, "generator_2", "model", where);
    a.annotator = json_get_or<std::string>(row, "annotator", "", where);
    if (!json_member(row, "preference", where).is_null())
      a.preference = json_get<double>(row, "preference", where);
    if (a.preference == 0.0) a.preference = 1.5;
    a.repeats = json_get_or<std::vector<double>>(row, "repeats", {}, where);
    if (const auto raw = row.find("raw_completion"); raw != row.end())
      read_completion(*raw, where, a);
    a.where = where;
    annotations.push_back(std::move(a));
  });
  return annotations;
}

std::vector<std::string> read_instruction_list(const std::string& text, const std::string& name) {
  std::vector<std::string> instructions;
  std::set<std::string> seen;
  for_each_row<Json>(text, name, [&](const Json& row, const std::string& where) {
    instructions.push_back(json_get<std::string>(row, "instruction", where));
    if (seen.insert(instructions.back()).second) return;
    throw Error(ErrorKind::data, where + ": this instruction came before",
                "instructions of a set must differ, or their rows cannot be told apart");
  });
  return instructions;
}

std::vector<OrderedJson> read_rows_as_written(const std::string& text, const std::string& name) {
  std::vector<OrderedJson> rows;
  for_each_row<OrderedJson>(
      text, name, [&](const OrderedJson& row, const std::string&) { rows.push_back(row); });
  return rows;
}

OrderedJson to_json(const ModelOutput& output) {
  return {{"dataset", output.dataset},
          {"instruction", output.instruction},
          {"output", output.output},
          {"generator", output.generator}};
}

OrderedJson to_json(const Annotation& annotation) {
  OrderedJson row = {{"instruction", annotation.instruction},
                     {"output_1", annotation.output_1},
                     {"generator_1", annotation.generator_1},
                     {"dataset", annotation.dataset},
                     {"output_2", annotation.output_2},
                     {"generator_2", annotation.generator_2},
                     {"annotator", annotation.annotator},
                     {"preference", nullptr},
                     {"raw_completion", completion_json(annotation)}};
  if (annotation.preference) row["preference"] = *annotation.preference;
  if (!annotation.repeats.empty()) row["repeats"] = annotation.repeats;
  return row;
}

std::string json_array_text(const std::vector<OrderedJson>& rows) {
  OrderedJson all = OrderedJson::array();
  for (const OrderedJson& row : rows) all.push_back(row);
  return all.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace tapir::evaluate
