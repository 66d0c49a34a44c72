// One JSON row of an instruction file as messages and response. Inside this folder only.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "records/message.h"

namespace tapir::dataset {

enum class Form { alpaca, messages, prompt_completion, sharegpt, question_answer };

// By the keys of the row. Error{data} naming the keys found and the forms known.
Form detect_form(const Json& row, const std::string& where);

struct Conversation {
  Messages messages;  // ends with a user (or tool) message that is not blank
  std::optional<std::string> response;
};
Conversation read_conversation(const Json& row, Form form, const std::string& where);

}  // namespace tapir::dataset
