#include "dataset/row_forms.h"

#include <map>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::dataset {
namespace {

[[noreturn]] void fail(const std::string& where, const std::string& message,
                       std::string hint = {}) {
  throw Error(ErrorKind::data, where + ": " + message, std::move(hint));
}

// Text, or the list of parts of the OpenAI API ([{"type": "text", "text": ...}]).
std::string read_content(const Json& message, const std::string& where) {
  const auto content = message.find("content");
  if (content == message.end() || !content->is_array()) {
    return json_get<std::string>(message, "content", where);
  }
  std::string text;
  for (const Json& part : *content) {
    if (json_get<std::string>(part, "type", where) != "text") {
      fail(where, "a message has a part that is not text",
           "only text can be learnt: leave such rows out");
    }
    text += json_get<std::string>(part, "text", where);
  }
  return text;
}

Messages read_messages(const Json& array, const std::string& where) {
  if (!array.is_array())
    fail(where, "expected a list of messages, found " + std::string(array.type_name()));
  Messages messages;
  for (const Json& message : array) {
    const auto role = json_get<std::string>(message, "role", where);
    messages.push_back(
        {parse_role(role == "developer" ? "system" : role, where), read_content(message, where)});
  }
  return messages;
}

Role sharegpt_role(const std::string& from, const std::string& where) {
  static const std::map<std::string, Role> names = {
      {"human", Role::user},        {"user", Role::user},           {"gpt", Role::assistant},
      {"chatgpt", Role::assistant}, {"assistant", Role::assistant}, {"system", Role::system},
      {"tool", Role::tool},         {"observation", Role::tool}};
  const auto found = names.find(from);
  if (found == names.end()) {
    fail(where, "unknown speaker \"" + from + "\"",
         "known: human, user, gpt, chatgpt, assistant, system, tool, observation");
  }
  return found->second;
}

void add_system(const Json& row, const std::string& where, Messages& messages) {
  const auto system = json_get_or<std::string>(row, "system", "", where);
  if (!trim(system).empty()) messages.push_back({Role::system, system});
}

Messages read_sharegpt(const Json& row, const std::string& where) {
  Messages messages;
  add_system(row, where, messages);
  const Json& turns = row.at("conversations");
  if (!turns.is_array()) fail(where, "\"conversations\" must be a list of {from, value}");
  for (const Json& turn : turns) {
    messages.push_back({sharegpt_role(json_get<std::string>(turn, "from", where), where),
                        json_get<std::string>(turn, "value", where)});
  }
  return messages;
}

void add_history(const Json& row, const std::string& where, Messages& messages) {
  const auto history = row.find("history");
  if (history == row.end() || history->is_null()) return;
  const auto is_pair = [](const Json& turn) {
    return turn.is_array() && turn.size() == 2 && turn[0].is_string() && turn[1].is_string();
  };
  if (!history->is_array()) fail(where, "\"history\" must be a list of [question, answer]");
  for (const Json& turn : *history) {
    if (!is_pair(turn)) fail(where, "\"history\" must be a list of [question, answer]");
    messages.push_back({Role::user, turn[0].get<std::string>()});
    messages.push_back({Role::assistant, turn[1].get<std::string>()});
  }
}

Messages read_alpaca(const Json& row, const std::string& where) {
  Messages messages;
  add_system(row, where, messages);
  add_history(row, where, messages);
  auto text = json_get<std::string>(row, "instruction", where);
  if (trim(text).empty()) fail(where, "the instruction is empty");
  const auto input = json_get_or<std::string>(row, "input", "", where);
  const std::string_view folded = trim(input);
  // "<noinput>" is how Self-Instruct writes an empty input.
  if (!folded.empty() && lower_ascii(folded) != "<noinput>") text += "\n\n" + input;
  messages.push_back({Role::user, std::move(text)});
  for (const char* key : {"output", "response"}) {
    const auto answer = row.find(key);
    if (answer == row.end() || answer->is_null()) continue;
    messages.push_back({Role::assistant, json_get<std::string>(row, key, where)});
    break;
  }
  return messages;
}

Messages read_prompt_completion(const Json& row, const std::string& where) {
  Messages messages;
  const Json& prompt = row.at("prompt");
  if (prompt.is_array()) {
    messages = read_messages(prompt, where);
  } else {
    messages.push_back({Role::user, json_get<std::string>(row, "prompt", where)});
  }
  const auto completion = row.find("completion");
  if (completion == row.end() || completion->is_null()) return messages;
  if (!completion->is_array()) {
    messages.push_back({Role::assistant, json_get<std::string>(row, "completion", where)});
    return messages;
  }
  for (Message& message : read_messages(*completion, where)) messages.push_back(std::move(message));
  return messages;
}

Messages read_all(const Json& row, Form form, const std::string& where) {
  switch (form) {
    case Form::alpaca:
      return read_alpaca(row, where);
    case Form::sharegpt:
      return read_sharegpt(row, where);
    case Form::prompt_completion:
      return read_prompt_completion(row, where);
    case Form::question_answer:
      return {{Role::user, json_get<std::string>(row, "question", where)},
              {Role::assistant, json_get<std::string>(row, "answer", where)}};
    case Form::messages:
      break;
  }
  Messages messages = read_messages(row.at("messages"), where);
  if (row.contains("response") && !row.at("response").is_null()) {
    messages.push_back({Role::assistant, json_get<std::string>(row, "response", where)});
  }
  return messages;
}

const char* key_of(Form form) {
  switch (form) {
    case Form::alpaca:
      return "instruction";
    case Form::messages:
      return "messages";
    case Form::prompt_completion:
      return "prompt";
    case Form::sharegpt:
      return "conversations";
    case Form::question_answer:
      return "question";
  }
  return "messages";
}

}  // namespace

Form detect_form(const Json& row, const std::string& where) {
  for (const Form form : {Form::sharegpt, Form::messages, Form::alpaca, Form::prompt_completion,
                          Form::question_answer}) {
    if (row.is_object() && row.contains(key_of(form))) return form;
  }
  std::vector<std::string> keys;
  if (row.is_object()) {
    for (const auto& [key, value] : row.items()) keys.push_back(key);
  }
  const std::string found = row.is_object() ? "an object with the keys {" + join(keys, ", ") + "}"
                                            : "a JSON " + std::string(row.type_name());
  fail(where, "expected an instruction row, found " + found,
       "forms read: instruction/input/output, messages, prompt/completion, conversations "
       "(ShareGPT), question/answer");
}

Conversation read_conversation(const Json& row, Form form, const std::string& where) {
  if (!row.is_object())
    fail(where, "expected a JSON object, found " + std::string(row.type_name()));
  if (!row.contains(key_of(form))) {
    fail(where,
         std::string("the key \"") + key_of(form) +
             "\" is missing, which the first row of this file has",
         "a file holds rows of one form; put others into a file of their own");
  }
  Conversation conversation{read_all(row, form, where), std::nullopt};
  Messages& messages = conversation.messages;
  if (!messages.empty() && messages.back().role == Role::assistant) {
    if (!trim(messages.back().content).empty())
      conversation.response = std::move(messages.back().content);
    messages.pop_back();
  }
  if (messages.empty()) fail(where, "no user message");
  const Role last = messages.back().role;
  if (last != Role::user && last != Role::tool) {
    fail(where, "expected a user message before the answer, found one of role " +
                    std::string(to_string(last)));
  }
  if (trim(messages.back().content).empty()) fail(where, "the instruction is empty");
  return conversation;
}

}  // namespace tapir::dataset
