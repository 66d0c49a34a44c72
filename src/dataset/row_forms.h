// One JSON row of an instruction file as messages and response. Inside this folder only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "records/message.h"

namespace tapir::dataset {

enum class Form { alpaca, messages, prompt_completion, sharegpt, question_answer };

// What the keys of a row are called: as the field's tools have them, unless a dataset_info.json
// says otherwise. Empty: there is no such key.
struct RowFields {
  std::string prompt = "instruction";
  std::string query = "input";
  std::vector<std::string> response = {"output", "response"};  // the first that is there
  std::string query_separator = "\n\n";                        // between prompt and query
  std::string history = "history";
  std::string system = "system";
  std::string messages;  // empty: "messages" or "conversations", by the form
  // Of a message; in ShareGPT's form empty: "from" and "value", or "role" and "content".
  std::string role_tag;
  std::string content_tag;
  std::map<std::string, Role> roles;  // empty: the usual names of speakers
};

// By the keys of the row. Error{data} naming the keys found and the forms known.
Form detect_form(const Json& row, const std::string& where);

struct Conversation {
  Messages messages;  // ends with a user (or tool) message that is not blank
  std::optional<std::string> response;
  std::vector<std::size_t> not_learnt;  // DataRow::not_learnt
};
Conversation read_conversation(const Json& row, Form form, const RowFields& fields,
                               const std::string& where);

}  // namespace tapir::dataset
