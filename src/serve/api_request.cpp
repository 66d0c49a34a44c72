#include "serve/api_request.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "serve/request_fields.h"

namespace tapir::serve {
namespace {

constexpr int kMaxStops = 16;
constexpr int kMaxPrompts = 128;
constexpr std::int64_t kWholeContext = std::numeric_limits<int>::max();

std::int64_t draw_seed() {
  std::random_device device;
  return static_cast<std::int64_t>(((std::uint64_t{device()} << 32) | device()) >> 1);
}

// What chat and text completions have in common.
llm::Sampling read_sampling(RequestFields& fields, bool draw_seeds) {
  llm::Sampling s;
  s.temperature = fields.number("temperature", {0, 2}).value_or(1);
  const Json* top_p = fields.any("top_p");
  s.top_p = fields.number("top_p", {0, 1}).value_or(1);
  if (s.top_p <= 0) refuse_field("top_p", "a number above 0, at most 1", *top_p);
  const auto top_k = fields.integer("top_k", -1, std::numeric_limits<int>::max());
  s.top_k = static_cast<int>(std::max<std::int64_t>(top_k.value_or(0), 0));  // -1: off, as in vLLM
  s.seed = fields.integer("seed", std::numeric_limits<std::int64_t>::min(),
                          std::numeric_limits<std::int64_t>::max());
  if (!s.seed && draw_seeds) s.seed = draw_seed();
  s.stop = fields.text_or_texts("stop", kMaxStops);
  std::erase(s.stop, std::string());
  fields.only("presence_penalty", 0);
  fields.only("frequency_penalty", 0);
  fields.only("repetition_penalty", 1);
  fields.only("min_p", 0);
  fields.only("logit_bias", nullptr);
  fields.ignore("user");
  return s;
}

void read_stream(RequestFields& fields, ApiRequest& request) {
  request.stream = fields.flag("stream").value_or(false);
  const Json* options = fields.any("stream_options");
  if (options == nullptr) return;
  if (!options->is_object()) refuse_field("stream_options", "an object", *options);
  if (!request.stream) {
    throw ApiFault(400, "stream_options is only allowed with \"stream\": true", "stream_options");
  }
  for (const auto& [name, value] : options->items()) {
    if (name == "include_obfuscation") continue;
    if (name != "include_usage") {
      throw ApiFault(400, "unknown parameter stream_options." + name, "stream_options." + name,
                     "unknown_parameter");
    }
    if (!value.is_boolean()) refuse_field("stream_options.include_usage", "true or false", value);
    request.include_usage = value.get<bool>();
  }
}

void set_prompts(ApiRequest& request, std::vector<llm::ChatRequest> prompts, int n,
                 int max_choices) {
  request.prompts = std::move(prompts);
  request.n = static_cast<std::size_t>(n);
  if (request.choices() <= static_cast<std::size_t>(max_choices)) return;
  throw ApiFault(400,
                 fmt::format("n: {} answers are asked for, this server gives at most {} to "
                             "one request",
                             request.choices(), max_choices),
                 "n");
}

// ---- chat ----

std::string read_content(const Json& content, const std::string& where) {
  if (content.is_string()) return content.get<std::string>();
  const std::string expected = "a string or a list of {\"type\": \"text\", \"text\": ...}";
  if (!content.is_array()) refuse_field(where, expected, content);
  std::string text;
  for (const Json& part : content) {
    const bool is_text = part.is_object() && part.contains("type") && part["type"] == "text" &&
                         part.contains("text") && part["text"].is_string();
    if (!is_text) refuse_field(where, expected + " (text is all this model reads)", part);
    text += part["text"].get<std::string>();
  }
  return text;
}

Message read_message(const Json& json, const std::string& where) {
  if (!json.is_object()) refuse_field(where, "an object with role and content", json);
  for (const auto& [name, value] : json.items()) {
    const bool known = name == "role" || name == "content" || name == "name" || value.is_null() ||
                       (value.is_array() && value.empty());
    if (!known) {
      throw ApiFault(400, where + "." + name + " is not supported by this server",
                     where + "." + name, "unsupported_parameter");
    }
  }
  const std::string role = json.contains("role") && json["role"].is_string()
                               ? json["role"].get<std::string>()
                               : std::string();
  Message message;
  if (role == "system" || role == "developer") {
    message.role = Role::system;
  } else if (role == "assistant") {
    message.role = Role::assistant;
  } else if (role == "user") {
    message.role = Role::user;
  } else {
    refuse_field(where + ".role", "\"system\", \"user\" or \"assistant\"",
                 json.value("role", Json()));
  }
  if (!json.contains("content")) refuse_field(where + ".content", "a string", nullptr);
  message.content = read_content(json["content"], where + ".content");
  return message;
}

Messages read_messages(RequestFields& fields) {
  const Json* list = fields.any("messages");
  if (list == nullptr) throw ApiFault(400, "messages is missing", "messages");
  if (!list->is_array() || list->empty()) refuse_field("messages", "a list of messages", *list);
  Messages messages;
  for (std::size_t i = 0; i < list->size(); ++i) {
    messages.push_back(read_message((*list)[i], fmt::format("messages[{}]", i)));
  }
  return messages;
}

void read_response_format(RequestFields& fields, llm::Sampling& sampling) {
  const Json* format = fields.any("response_format");
  if (format == nullptr) return;
  const Json type = format->is_object() ? format->value("type", Json()) : Json();
  if (type == "json_object") {
    sampling.json_mode = true;
  } else if (type != "text") {
    refuse_field("response_format", "{\"type\": \"text\"} or {\"type\": \"json_object\"}", *format);
  }
}

void refuse_tools(RequestFields& fields) {
  fields.only("tools", nullptr);
  fields.only("tool_choice", "none");
  fields.only("functions", nullptr);
  fields.only("function_call", "none");
  fields.only("modalities", Json::array({"text"}));
  fields.only("audio", nullptr);
  fields.only("prediction", nullptr);
  fields.only("web_search_options", nullptr);
  fields.only("reasoning_effort", "none");
  fields.only("store", false);
  for (const char* name : {"metadata", "service_tier", "parallel_tool_calls", "safety_identifier",
                           "prompt_cache_key", "prompt_cache_retention", "verbosity"}) {
    fields.ignore(name);
  }
}

}  // namespace

llm::ChatRequest ApiRequest::choice(std::size_t index) const {
  llm::ChatRequest request = prompts[index / n];
  request.attempt += static_cast<int>(index % n);
  return request;
}

ApiRequest read_chat_request(std::string_view body, int max_choices, bool draw_seeds) {
  RequestFields fields(body);
  ApiRequest request;
  request.model = fields.text("model").value_or("");
  llm::ChatRequest prompt;
  prompt.messages = read_messages(fields);
  prompt.sampling = read_sampling(fields, draw_seeds);
  llm::Sampling& sampling = prompt.sampling;
  const auto old_name = fields.integer("max_tokens", 1, kWholeContext);
  const auto new_name = fields.integer("max_completion_tokens", 1, kWholeContext);
  sampling.max_tokens = static_cast<int>(new_name.value_or(old_name.value_or(kWholeContext)));
  request.logprobs = sampling.logprobs = fields.flag("logprobs").value_or(false);
  const auto top_logprobs = fields.integer("top_logprobs", 0, 20);
  if (top_logprobs && !sampling.logprobs) {
    throw ApiFault(400, "top_logprobs is only allowed with \"logprobs\": true", "top_logprobs");
  }
  sampling.top_logprobs = static_cast<int>(top_logprobs.value_or(0));
  read_response_format(fields, sampling);
  read_stream(fields, request);
  const auto n = static_cast<int>(fields.integer("n", 1, max_choices).value_or(1));
  refuse_tools(fields);
  fields.finish();
  set_prompts(request, {std::move(prompt)}, n, max_choices);
  return request;
}

ApiRequest read_completion_request(std::string_view body, int max_choices, bool draw_seeds) {
  RequestFields fields(body);
  ApiRequest request;
  request.chat = false;
  request.model = fields.text("model").value_or("");
  const std::vector<std::string> texts = fields.text_or_texts("prompt", kMaxPrompts);
  if (texts.empty()) throw ApiFault(400, "prompt is missing", "prompt");
  llm::ChatRequest prompt;
  prompt.sampling = read_sampling(fields, draw_seeds);
  constexpr int kDefaultTokens = 16;  // the API's own
  prompt.sampling.max_tokens =
      static_cast<int>(fields.integer("max_tokens", 1, kWholeContext).value_or(kDefaultTokens));
  const auto logprobs = fields.integer("logprobs", 0, 20);
  request.logprobs = prompt.sampling.logprobs = logprobs.has_value();
  prompt.sampling.top_logprobs = static_cast<int>(logprobs.value_or(0));
  read_stream(fields, request);
  const auto n = static_cast<int>(fields.integer("n", 1, max_choices).value_or(1));
  fields.only("best_of", n);
  fields.only("echo", false);
  fields.only("suffix", "");
  fields.finish();
  std::vector<llm::ChatRequest> prompts;
  for (const std::string& text : texts) {
    prompt.prompt = text;
    prompts.push_back(prompt);
  }
  set_prompts(request, std::move(prompts), n, max_choices);
  return request;
}

}  // namespace tapir::serve
