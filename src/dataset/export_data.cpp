#include "dataset/export_data.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace tapir::dataset {
namespace {

std::string file_name(const ExportOptions& options) {
  return options.name + (options.format == ExportFormat::messages ? ".jsonl" : ".json");
}

// Unique within the file: a repeated row gets a number.
std::string row_id(const ExportRow& row) {
  return row.repeat == 0 ? row.instruction.id
                         : row.instruction.id + "#" + std::to_string(row.repeat + 1);
}

// The columns that tell where a row comes from; the same in both formats.
void add_columns(const ExportRow& row, OrderedJson& out) {
  out["parent_id"] = row.instruction.parent_id;
  out["round"] = row.round;
  out["task"] = row.instruction.task;
  out["stratum"] = to_string(row.stratum);
  const bool judged = row.teacher_score && row.student_score;
  out["mfd"] = judged ? OrderedJson(*row.teacher_score - *row.student_score) : OrderedJson();
  out["scores"] =
      judged ? OrderedJson{{"teacher", *row.teacher_score}, {"student", *row.student_score}}
             : OrderedJson();
  out["source"] = row.instruction.source;
  out["author"] = row.author;
  out["hash"] = text_hash(row.instruction.messages);
}

std::string dump(const OrderedJson& value, int indent) {
  return value.dump(indent, ' ', /*ensure_ascii=*/false, OrderedJson::error_handler_t::replace);
}

// The messages of a row as Alpaca's columns hold them; views into the row.
struct AlpacaMessages {
  std::string_view system;  // empty: none
  std::vector<std::pair<std::string_view, std::string_view>> history;
  std::string_view instruction;
};

AlpacaMessages alpaca_messages(const Instruction& row) {
  AlpacaMessages out;
  const Messages& messages = row.messages;
  std::size_t next = 0;
  if (next < messages.size() && messages[next].role == Role::system)
    out.system = messages[next++].content;
  for (; next + 2 < messages.size(); next += 2) {
    if (messages[next].role != Role::user || messages[next + 1].role != Role::assistant) break;
    out.history.emplace_back(messages[next].content, messages[next + 1].content);
  }
  if (next + 1 != messages.size() || messages[next].role != Role::user) {
    throw Error(ErrorKind::data,
                "row " + row.id +
                    ": Alpaca's columns hold a system message, then user and assistant in turn, "
                    "and nothing else",
                "export it with --format messages");
  }
  out.instruction = messages[next].content;
  return out;
}

OrderedJson alpaca_row(const ExportRow& row) {
  const AlpacaMessages messages = alpaca_messages(row.instruction);
  OrderedJson out;
  out["id"] = row_id(row);
  out["instruction"] = messages.instruction;
  out["input"] = "";
  out["output"] = row.response;
  if (!messages.system.empty()) out["system"] = messages.system;
  for (const auto& [question, answer] : messages.history)
    out["history"].push_back({question, answer});
  add_columns(row, out);
  return out;
}

}  // namespace

ExportFormat parse_export_format(std::string_view name) {
  if (name == "messages") return ExportFormat::messages;
  if (name == "alpaca") return ExportFormat::alpaca;
  throw Error(ErrorKind::usage, "unknown export format \"" + std::string(name) + "\"",
              "known: messages, alpaca");
}

std::string messages_jsonl(const std::vector<ExportRow>& rows) {
  std::string text;
  for (const ExportRow& row : rows) {
    OrderedJson out;
    out["id"] = row_id(row);
    OrderedJson messages = OrderedJson::array();
    for (const Message& message : row.instruction.messages) {
      messages.push_back({{"role", to_string(message.role)}, {"content", message.content}});
    }
    messages.push_back({{"role", "assistant"}, {"content", row.response}});
    out["messages"] = std::move(messages);
    add_columns(row, out);
    text += dump(out, -1);
    text += '\n';
  }
  return text;
}

std::string alpaca_json(const std::vector<ExportRow>& rows) {
  OrderedJson array = OrderedJson::array();
  for (const ExportRow& row : rows) array.push_back(alpaca_row(row));
  return dump(array, 2) + "\n";
}

std::string dataset_info(const std::vector<ExportRow>& rows, const ExportOptions& options) {
  OrderedJson entry;
  entry["file_name"] = file_name(options);
  if (options.format == ExportFormat::messages) {
    entry["formatting"] = "sharegpt";
    entry["columns"] = {{"messages", "messages"}};
    entry["tags"] = {{"role_tag", "role"},     {"content_tag", "content"},
                     {"user_tag", "user"},     {"assistant_tag", "assistant"},
                     {"system_tag", "system"}, {"observation_tag", "tool"}};
  } else {
    entry["formatting"] = "alpaca";
    entry["columns"] = {{"prompt", "instruction"}, {"query", "input"}, {"response", "output"}};
    // LLaMA-Factory fails on a column that no row has.
    bool system = false;
    bool history = false;
    for (const ExportRow& row : rows) {
      const AlpacaMessages messages = alpaca_messages(row.instruction);
      system = system || !messages.system.empty();
      history = history || !messages.history.empty();
    }
    if (system) entry["columns"]["system"] = "system";
    if (history) entry["columns"]["history"] = "history";
  }
  return dump({{options.name, entry}}, 2) + "\n";
}

std::vector<std::filesystem::path> export_data(const std::vector<ExportRow>& rows,
                                               const DataCard& card, const ExportOptions& options,
                                               const std::filesystem::path& folder) {
  if (rows.empty()) {
    throw Error(ErrorKind::data, "there are no training rows to export",
                "let the run reach its first mixture");
  }
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure)
    throw Error(ErrorKind::data, folder.string() + ": cannot be made: " + failure.message());
  const std::vector<std::pair<std::string, std::string>> files = {
      {file_name(options),
       options.format == ExportFormat::messages ? messages_jsonl(rows) : alpaca_json(rows)},
      {"dataset_info.json", dataset_info(rows, options)},
      {"README.md", data_card(rows, card, options)}};
  std::vector<std::filesystem::path> paths;
  for (const auto& [name, text] : files) {
    paths.push_back(folder / name);
    write_file(paths.back(), text);
  }
  return paths;
}

}  // namespace tapir::dataset
