// Bodies of requests to the OpenAI API.
#include <array>

#include "base/error.h"
#include "base/json.h"
#include "llm/openai_api.h"

namespace tapir::llm {
namespace {

constexpr std::array<std::string_view, 5> kOurs = {"model", "messages", "prompt", "stream", "n"};

OrderedJson messages_json(const Messages& messages) {
  OrderedJson all = OrderedJson::array();
  for (const Message& message : messages) {
    all.push_back({{"role", to_string(message.role)}, {"content", message.content}});
  }
  return all;
}

void add_logprobs(const ChatRequest& request, OrderedJson& body) {
  if (!request.sampling.logprobs) return;
  if (request.messages.empty()) {
    body["logprobs"] = request.sampling.top_logprobs;
  } else {
    body["logprobs"] = true;
    body["top_logprobs"] = request.sampling.top_logprobs;
  }
}

}  // namespace

ApiCall api_call(std::string_view model, const ChatRequest& request, std::string_view extra_body) {
  const Sampling& sampling = request.sampling;
  const bool chat = !request.messages.empty();
  OrderedJson body = {{"model", model}};
  if (chat) {
    body["messages"] = messages_json(request.messages);
  } else {
    body["prompt"] = request.prompt;
  }
  body["temperature"] = sampling.temperature;
  body["max_tokens"] = sampling.max_tokens;
  if (sampling.top_p != 1) body["top_p"] = sampling.top_p;
  if (sampling.top_k != 0) body["top_k"] = sampling.top_k;
  if (sampling.seed) body["seed"] = *sampling.seed;
  if (!sampling.stop.empty()) body["stop"] = sampling.stop;
  add_logprobs(request, body);
  if (sampling.json_mode && chat) body["response_format"] = {{"type", "json_object"}};
  if (!extra_body.empty()) body.merge_patch(parse_ordered_json(extra_body, "extra_body"));
  return {chat ? "/chat/completions" : "/completions",
          body.dump(-1, ' ', false, OrderedJson::error_handler_t::replace)};
}

void check_extra_body(std::string_view extra_body, const std::string& where) {
  if (extra_body.empty()) return;
  const std::string hint = "for example '{\"reasoning_effort\": \"low\"}'";
  Json fields;
  try {
    fields = parse_json(extra_body, where);
  } catch (const Error& e) {
    throw Error(ErrorKind::usage, e.what(), hint);
  }
  if (!fields.is_object()) throw Error(ErrorKind::usage, where + ": expected a JSON object", hint);
  for (const std::string_view ours : kOurs) {
    if (!fields.contains(ours)) continue;
    throw Error(ErrorKind::usage,
                where + ": " + std::string(ours) + " is set by the program and cannot stand here",
                "take it out");
  }
}

}  // namespace tapir::llm
