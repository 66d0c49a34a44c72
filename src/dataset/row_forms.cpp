#include "dataset/row_forms.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::dataset {
namespace {

[[noreturn]] void fail(const std::string& where, const std::string& message,
                       std::string hint = {}) {
  throw Error(ErrorKind::data, where + ": " + message, std::move(hint));
}

bool has(const Json& row, const std::string& key) {
  const auto found = row.find(key);
  return !key.empty() && found != row.end() && !found->is_null();
}

// A turn with its mark whether the file wants it learnt.
struct Turn {
  Message message;
  bool learnt = true;
};
using Turns = std::vector<Turn>;

// Text, or the list of parts of the OpenAI API ([{"type": "text", "text": ...}]).
std::string read_content(const Json& message, const std::string& key, const std::string& where) {
  const auto content = message.find(key);
  if (content == message.end() || !content->is_array()) {
    return json_get<std::string>(message, key, where);
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

Role read_role(const std::string& name, const RowFields& fields, const std::string& where) {
  if (fields.roles.empty()) {
    static const std::map<std::string, Role> usual = {{"human", Role::user},
                                                      {"user", Role::user},
                                                      {"prompter", Role::user},
                                                      {"gpt", Role::assistant},
                                                      {"chatgpt", Role::assistant},
                                                      {"bing", Role::assistant},
                                                      {"bard", Role::assistant},
                                                      {"model", Role::assistant},
                                                      {"assistant", Role::assistant},
                                                      {"function_call", Role::assistant},
                                                      {"system", Role::system},
                                                      {"developer", Role::system},
                                                      {"tool", Role::tool},
                                                      {"observation", Role::tool},
                                                      {"function_response", Role::tool}};
    const auto found = usual.find(name);
    if (found != usual.end()) return found->second;
    std::vector<std::string> names;
    for (const auto& [known, role] : usual) names.push_back(known);
    fail(where, "unknown role \"" + name + "\"", "known: " + join(names, ", "));
  }
  const auto found = fields.roles.find(name);
  if (found != fields.roles.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, role] : fields.roles) names.push_back(known);
  fail(where, "unknown role \"" + name + "\"", "the tags say: " + join(names, ", "));
}

// What a row holds that text alone cannot say.
void refuse_other_content(const Json& object, const std::string& where) {
  for (const char* key : {"images", "videos", "audios", "image", "video", "audio"}) {
    if (has(object, key) && !object.at(key).empty()) {
      fail(where, "the row has \"" + std::string(key) + "\"",
           "only text can be learnt: leave such rows out");
    }
  }
  for (const char* key : {"tool_calls", "function_call"}) {
    if (has(object, key) && !object.at(key).empty()) {
      fail(
          where, "a message has \"" + std::string(key) + "\"",
          "calls are learnt as text only: write them into \"content\" as the model is to say them");
    }
  }
}

// OpenAI's fine-tuning format: weight 0 keeps an answer from being learnt.
bool is_learnt(const Json& message, const std::string& where) {
  const auto weight = json_get_or<double>(message, "weight", 1, where);
  if (weight != 0 && weight != 1) {
    fail(where, "\"weight\" is " + message.at("weight").dump(), "a weight is 0 or 1");
  }
  return weight != 0;
}

Turns read_turns(const Json& array, const RowFields& fields, const std::string& where) {
  if (!array.is_array())
    fail(where, "expected a list of messages, found " + std::string(array.type_name()));
  Turns turns;
  for (const Json& message : array) {
    const bool from = fields.role_tag.empty() && message.is_object() && message.contains("from");
    const std::string role_tag = !fields.role_tag.empty() ? fields.role_tag
                                 : from                   ? "from"
                                                          : "role";
    const std::string content_tag = !fields.content_tag.empty() ? fields.content_tag
                                    : from                      ? "value"
                                                                : "content";
    if (message.is_object()) refuse_other_content(message, where);
    const auto role = json_get<std::string>(message, role_tag, where);
    turns.push_back({{read_role(role, fields, where), read_content(message, content_tag, where)},
                     is_learnt(message, where)});
  }
  return turns;
}

void add(Turns& turns, Role role, std::string text, bool learnt = true) {
  turns.push_back({{role, std::move(text)}, learnt});
}

void add_system(const Json& row, const RowFields& fields, const std::string& where, Turns& turns) {
  if (fields.system.empty()) return;
  const auto system = json_get_or<std::string>(row, fields.system, "", where);
  if (!trim(system).empty()) add(turns, Role::system, system);
}

Turns read_sharegpt(const Json& row, const RowFields& fields, const std::string& where) {
  Turns turns;
  add_system(row, fields, where, turns);
  const std::string key = fields.messages.empty() ? "conversations" : fields.messages;
  if (!row.at(key).is_array()) fail(where, "\"" + key + "\" must be a list of {from, value}");
  for (Turn& turn : read_turns(row.at(key), fields, where)) {
    // A system message among the turns stands for the one of the row.
    if (turn.message.role == Role::system && turns.size() == 1 &&
        turns.front().message.role == Role::system)
      turns.clear();
    turns.push_back(std::move(turn));
  }
  return turns;
}

void add_history(const Json& row, const RowFields& fields, const std::string& where, Turns& turns) {
  if (!has(row, fields.history)) return;
  const Json& history = row.at(fields.history);
  const auto is_pair = [](const Json& turn) {
    return turn.is_array() && turn.size() == 2 && turn[0].is_string() && turn[1].is_string();
  };
  const std::string complaint = "\"" + fields.history + "\" must be a list of [question, answer]";
  if (!history.is_array()) fail(where, complaint);
  for (const Json& turn : history) {
    if (!is_pair(turn)) fail(where, complaint);
    add(turns, Role::user, turn[0].get<std::string>());
    add(turns, Role::assistant, turn[1].get<std::string>());
  }
}

Turns read_alpaca(const Json& row, const RowFields& fields, const std::string& where) {
  Turns turns;
  add_system(row, fields, where, turns);
  add_history(row, fields, where, turns);
  auto text = json_get<std::string>(row, fields.prompt, where);
  const auto query =
      fields.query.empty() ? std::string() : json_get_or<std::string>(row, fields.query, "", where);
  const std::string_view folded = trim(query);
  if (trim(text).empty()) fail(where, "the instruction is empty");
  // "<noinput>" is how Self-Instruct writes an empty input.
  if (!folded.empty() && lower_ascii(folded) != "<noinput>") text += fields.query_separator + query;
  add(turns, Role::user, std::move(text));
  for (const std::string& key : fields.response) {
    if (!has(row, key)) continue;
    add(turns, Role::assistant, json_get<std::string>(row, key, where));
    break;
  }
  return turns;
}

// Text, or a list of messages. Of the prompt nothing is learnt.
Turns read_prompt_completion(const Json& row, const RowFields& fields, const std::string& where) {
  Turns turns;
  if (row.at("prompt").is_array()) {
    turns = read_turns(row.at("prompt"), fields, where);
    for (Turn& turn : turns) turn.learnt = false;
  } else {
    add(turns, Role::user, json_get<std::string>(row, "prompt", where));
  }
  if (!has(row, "completion")) return turns;
  if (!row.at("completion").is_array()) {
    add(turns, Role::assistant, json_get<std::string>(row, "completion", where));
    return turns;
  }
  for (Turn& turn : read_turns(row.at("completion"), fields, where))
    turns.push_back(std::move(turn));
  return turns;
}

Turns read_all(const Json& row, Form form, const RowFields& fields, const std::string& where) {
  switch (form) {
    case Form::alpaca:
      return read_alpaca(row, fields, where);
    case Form::sharegpt:
      return read_sharegpt(row, fields, where);
    case Form::prompt_completion:
      return read_prompt_completion(row, fields, where);
    case Form::question_answer:
      return {{{Role::user, json_get<std::string>(row, "question", where)}},
              {{Role::assistant, json_get<std::string>(row, "answer", where)}}};
    case Form::messages:
      break;
  }
  Turns turns =
      read_turns(row.at(fields.messages.empty() ? "messages" : fields.messages), fields, where);
  if (has(row, "response"))
    add(turns, Role::assistant, json_get<std::string>(row, "response", where));
  return turns;
}

std::string key_of(Form form, const RowFields& fields) {
  switch (form) {
    case Form::alpaca:
      return fields.prompt;
    case Form::messages:
      return fields.messages.empty() ? "messages" : fields.messages;
    case Form::prompt_completion:
      return "prompt";
    case Form::sharegpt:
      return fields.messages.empty() ? "conversations" : fields.messages;
    case Form::question_answer:
      return "question";
  }
  return "messages";
}

void check_turns(const Conversation& conversation, const std::string& where) {
  const Messages& messages = conversation.messages;
  if (messages.empty()) fail(where, "no user message");
  const Role last = messages.back().role;
  if (last != Role::user && last != Role::tool) {
    fail(where, "expected a user message before the answer, found one of role " +
                    std::string(to_string(last)));
  }
  if (trim(messages.back().content).empty()) fail(where, "the instruction is empty");
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role == Role::assistant && trim(messages[i].content).empty()) {
      fail(where, "message " + std::to_string(i + 1) + ", the assistant's, is empty",
           "give the answer, or leave out this turn and its question");
    }
  }
}

}  // namespace

Form detect_form(const Json& row, const std::string& where) {
  const RowFields usual;
  if (row.is_object() && row.contains("chosen") && row.contains("rejected")) {
    fail(where, "the row ranks answers (\"chosen\", \"rejected\")",
         "supervised fine-tuning learns one answer a row: give the chosen one as the answer");
  }
  for (const Form form : {Form::sharegpt, Form::messages, Form::alpaca, Form::prompt_completion,
                          Form::question_answer}) {
    if (row.is_object() && row.contains(key_of(form, usual))) return form;
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

Conversation read_conversation(const Json& row, Form form, const RowFields& fields,
                               const std::string& where) {
  if (!row.is_object())
    fail(where, "expected a JSON object, found " + std::string(row.type_name()));
  if (!row.contains(key_of(form, fields))) {
    fail(
        where,
        "the key \"" + key_of(form, fields) + "\" is missing, which the first row of this file has",
        "a file holds rows of one form; put others into a file of their own");
  }
  refuse_other_content(row, where);
  Conversation conversation;
  for (Turn& turn : read_all(row, form, fields, where)) {
    if (!turn.learnt) conversation.not_learnt.push_back(conversation.messages.size());
    conversation.messages.push_back(std::move(turn.message));
  }
  Messages& messages = conversation.messages;
  if (!messages.empty() && messages.back().role == Role::assistant) {
    if (!trim(messages.back().content).empty())
      conversation.response = std::move(messages.back().content);
    messages.pop_back();
  }
  check_turns(conversation, where);
  return conversation;
}

}  // namespace tapir::dataset
