#include "dataset/write_rows.h"

#include <algorithm>

namespace tapir::dataset {
namespace {

bool is_learnt(const DataRow& row, std::size_t message) {
  return std::find(row.not_learnt.begin(), row.not_learnt.end(), message) == row.not_learnt.end();
}

// A response that is not to be learnt can only be said so as a message.
bool is_response_a_message(const DataRow& row) {
  return row.response && !is_learnt(row, row.instruction.messages.size());
}

OrderedJson messages_json(const DataRow& row) {
  Messages messages = row.instruction.messages;
  if (is_response_a_message(row)) messages.push_back({Role::assistant, *row.response});
  OrderedJson array = OrderedJson::array();
  for (std::size_t i = 0; i < messages.size(); ++i) {
    OrderedJson message = {{"role", to_string(messages[i].role)}, {"content", messages[i].content}};
    if (!is_learnt(row, i)) message["weight"] = 0;
    array.push_back(std::move(message));
  }
  return array;
}

}  // namespace

QuestionKey question_key(std::span<const DataRow> rows) {
  const bool plain = std::all_of(rows.begin(), rows.end(), [](const DataRow& row) {
    return row.instruction.messages.size() == 1 &&
           row.instruction.messages.front().role == Role::user && !is_response_a_message(row);
  });
  return plain ? QuestionKey::instruction : QuestionKey::messages;
}

OrderedJson row_json(const DataRow& row, QuestionKey key) {
  const Instruction& instruction = row.instruction;
  OrderedJson out = {{"id", instruction.id}};
  if (key == QuestionKey::instruction) {
    out["instruction"] = instruction.prompt();
  } else {
    out["messages"] = messages_json(row);
  }
  if (row.response && !is_response_a_message(row)) out["response"] = *row.response;
  if (!instruction.task.empty()) out["task"] = instruction.task;
  if (!instruction.parent_id.empty()) out["parent_id"] = instruction.parent_id;
  if (instruction.round != 0) out["round"] = instruction.round;
  if (!instruction.source.empty()) out["source"] = instruction.source;
  return out;
}

}  // namespace tapir::dataset
