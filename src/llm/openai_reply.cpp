// What replies of the OpenAI API mean. Its dialects differ in names of errors and ends; what is
// accepted beyond OpenAI's own is said where it is.
#include <algorithm>
#include <array>
#include <charconv>
#include <exception>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "llm/openai_api.h"

namespace tapir::llm {
namespace {

constexpr std::size_t kMaxWords = 500;  // bytes of an error that are kept
// No answer takes more tokens; what a broken server reports beyond would make sums overflow, and a
// cap with them.
constexpr std::int64_t kMostTokens = 1'000'000'000;

std::string shortened(std::string_view text) {
  text = trim(text);
  const std::string part = valid_utf8(text.substr(0, kMaxWords));
  return text.size() > kMaxWords ? part + " ..." : part;
}

ChatReply failed(Failure failure, std::string error, std::string code = {}) {
  ChatReply reply;
  reply.failure = failure;
  reply.error = std::move(error);
  reply.error_code = std::move(code);
  reply.attempts_charged = 1;
  return reply;
}

// The field's text; of numbers their digits; empty when it is not there.
std::string text_at(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  return found->is_number_integer() ? found->dump() : std::string();
}

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

bool has_any(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

// ---- errors ----

struct ApiError {
  std::string message;
  std::string code;
  std::string type;
  std::string param;
  // For looking up words in any of them.
  std::string all() const { return lower_ascii(code + " " + type + " " + message); }
};

// {"error": {"message", "type", "param", "code"}}; also {"error": "..."}, {"message": "..."} and
// {"detail": "..."} (FastAPI), as some servers have it; anything else is its own message.
ApiError read_error(std::string_view body) {
  ApiError error;
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  const Json* inner = member(json, "error");
  const Json& fields = inner != nullptr && inner->is_object() ? *inner : json;
  error.message = text_at(fields, "message");
  if (error.message.empty()) error.message = text_at(json, "error");
  if (error.message.empty()) error.message = text_at(json, "detail");
  error.code = text_at(fields, "code");
  error.type = text_at(fields, "type");
  error.param = text_at(fields, "param");
  if (error.message.empty()) error.message = std::string(body);
  error.message = shortened(error.message);
  return error;
}

bool is_html(std::string_view body) {
  const std::string start = lower_ascii(trim(body.substr(0, 256)));
  return start.starts_with("<!doctype html") || start.starts_with("<html");
}

bool is_overflow(const std::string& words) {
  return has_any(words, {kContextOverflow, "maximum context length", "exceed_context_size",
                         "exceeds the context", "context window", "context size"});
}

bool is_filtered(const std::string& words) {
  return has_any(words, {"content_filter", "content filter", "content_policy", "content policy",
                         "moderation", "flagged"});
}

bool is_about_model(const ApiError& error, const std::string& words) {
  return error.param == "model" || has_any(words, {kNoSuchModel}) ||
         (has_any(words, {"model"}) &&
          has_any(words, {"not found", "not exist", "no model", "invalid model", "unknown model",
                          "not supported by this endpoint"}));
}

ChatReply refused_request(const ApiError& error) {
  const std::string words = error.all();
  if (is_filtered(words)) return failed(Failure::content_filter, error.message, error.code);
  if (is_overflow(words)) {
    return failed(Failure::invalid_request, error.message, std::string(kContextOverflow));
  }
  if (is_about_model(error, words)) {
    return failed(Failure::unavailable, error.message, std::string(kNoSuchModel));
  }
  return failed(Failure::invalid_request, error.message, error.code);
}

ChatReply not_here(const ApiError& error, int status) {
  if (is_about_model(error, error.all())) {
    return failed(Failure::unavailable, error.message, std::string(kNoSuchModel));
  }
  return failed(
      Failure::unavailable,
      "status " + std::to_string(status) +
          ": no such API at this address (a base_url usually ends in /v1): " + error.message,
      error.code);
}

ChatReply throttled(const ApiError& error) {
  // Used up for good: waiting does not help.
  if (has_any(error.all(), {"insufficient_quota", "exceeded your current quota"})) {
    return failed(Failure::unauthorized, error.message, error.code);
  }
  return failed(Failure::rate_limited, error.message, error.code);
}

ChatReply read_failure(int status, std::string_view body) {
  ApiError error = read_error(body);
  if (is_html(body)) error.message = "an HTML page: " + error.message;
  const std::string numbered = "status " + std::to_string(status) + ": " + error.message;
  if (status < 200) return failed(Failure::malformed, numbered);
  if (status < 400) {
    return failed(Failure::unavailable, "status " + std::to_string(status) +
                                            ": the address redirects elsewhere, which is not "
                                            "followed: name the final address as base_url");
  }
  switch (status) {
    case 401:
    case 402:
      return failed(Failure::unauthorized, numbered, error.code);
    case 403:
      return is_filtered(error.all()) ? failed(Failure::content_filter, error.message, error.code)
                                      : failed(Failure::unauthorized, numbered, error.code);
    case 404:
    case 405:
      return not_here(error, status);
    case 408:
      return failed(Failure::timeout, numbered, error.code);
    case 409:
    case 425:
      return failed(Failure::server_error, numbered, error.code);
    case 429:
      return throttled(error);
    default:
      return status >= 500 ? failed(Failure::server_error, numbered, error.code)
                           : refused_request(error);
  }
}

// ---- answers ----

std::int64_t count_at(const Json* object, const char* key) {
  const Json* value = object == nullptr ? nullptr : member(*object, key);
  if (value == nullptr || !value->is_number_integer()) return 0;
  if (value->is_number_unsigned() &&
      value->get<std::uint64_t>() > static_cast<std::uint64_t>(kMostTokens))
    return kMostTokens;
  return std::clamp<std::int64_t>(value->get<std::int64_t>(), 0, kMostTokens);
}

Usage read_usage(const Json& json) {
  const Json* usage = member(json, "usage");
  if (usage == nullptr) return {};
  std::int64_t cached = count_at(member(*usage, "prompt_tokens_details"), "cached_tokens");
  if (cached == 0) cached = count_at(usage, "prompt_cache_hit_tokens");  // DeepSeek
  return {count_at(usage, "prompt_tokens"), cached, count_at(usage, "completion_tokens")};
}

// A string, or a list of parts of which the texts count.
std::optional<std::string> read_content(const Json* content) {
  if (content == nullptr) return std::nullopt;
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array()) return std::nullopt;
  std::string text;
  for (const Json& part : *content) {
    if (text_at(part, "type") == "text") text += text_at(part, "text");
  }
  return text;
}

// "stop", and what other servers say instead.
constexpr auto kNaturalEnds =
    std::to_array<std::string_view>({"stop", "eos", "eos_token", "stop_sequence", "end_turn"});
constexpr auto kCutEnds = std::to_array<std::string_view>(
    {"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"});
constexpr auto kFilteredEnds = std::to_array<std::string_view>(
    {"content_filter", "safety", "refusal", "recitation", "prohibited_content", "blocklist"});

template <typename Names>
bool is_one_of(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

double number_or_nan(const Json& value) {
  return value.is_number() ? value.get<double>() : -9999.0;  // null: not among the likely ones
}

TokenLogprob read_token(const Json& token) {
  TokenLogprob read{text_at(token, "token"), number_or_nan(token.value("logprob", Json()))};
  const Json* bytes = member(token, "bytes");
  if (bytes == nullptr || !bytes->is_array()) return read;
  std::string exact;
  for (const Json& byte : *bytes) {
    if (!byte.is_number_integer()) return read;
    exact += static_cast<char>(static_cast<unsigned char>(byte.get<std::int64_t>()));
  }
  read.token = std::move(exact);
  return read;
}

void read_chat_logprobs(const Json& logprobs, ChatReply& reply) {
  const Json* content = member(logprobs, "content");
  if (content == nullptr || !content->is_array()) return;
  for (const Json& token : *content) {
    reply.logprobs.push_back(read_token(token));
    auto& ranks = reply.top_logprobs.emplace_back();
    const Json* top = member(token, "top_logprobs");
    if (top == nullptr || !top->is_array()) continue;
    for (const Json& likely : *top) ranks.push_back(read_token(likely));
  }
}

void read_completion_logprobs(const Json& logprobs, ChatReply& reply) {
  const Json* tokens = member(logprobs, "tokens");
  const Json* values = member(logprobs, "token_logprobs");
  const Json* tops = member(logprobs, "top_logprobs");
  if (tokens == nullptr || values == nullptr || !tokens->is_array() || !values->is_array()) return;
  for (std::size_t i = 0; i < std::min(tokens->size(), values->size()); ++i) {
    if (!(*tokens)[i].is_string()) return;
    reply.logprobs.push_back({(*tokens)[i].get<std::string>(), number_or_nan((*values)[i])});
    auto& ranks = reply.top_logprobs.emplace_back();
    if (tops == nullptr || i >= tops->size() || !tops->is_array() || !(*tops)[i].is_object())
      continue;
    for (const auto& [token, value] : (*tops)[i].items())
      ranks.push_back({token, number_or_nan(value)});
    std::sort(ranks.begin(), ranks.end(),
              [](const auto& a, const auto& b) { return a.logprob > b.logprob; });
  }
}

void read_logprobs(const Json& choice, ChatReply& reply) {
  const Json* logprobs = member(choice, "logprobs");
  if (logprobs == nullptr || !logprobs->is_object()) return;
  read_chat_logprobs(*logprobs, reply);
  if (reply.logprobs.empty()) read_completion_logprobs(*logprobs, reply);
}

// The end of an answer: what it makes of the reply.
void read_end(const std::string& said, ChatReply& reply) {
  const std::string reason = lower_ascii(said);
  if (is_one_of(kNaturalEnds, reason)) return;
  if (is_one_of(kCutEnds, reason)) {
    reply.failure = Failure::length;
    reply.finish_reason = FinishReason::length;
    reply.error = reason.starts_with("model_") ? "the answer was cut at the end of the context"
                                               : "the answer was cut at max_tokens";
  } else if (is_one_of(kFilteredEnds, reason)) {
    reply.failure = Failure::content_filter;
    reply.finish_reason = FinishReason::filter;
    reply.error = "the endpoint's filter stopped the answer";
  } else {
    reply.failure = Failure::malformed;
    reply.error = reason.empty() ? "the answer has no finish_reason"
                                 : "the answer ended with finish_reason " + shortened(said);
  }
}

ChatReply read_answer(const Json& json, bool logprobs) {
  ChatReply reply = failed(Failure::malformed, "");
  reply.usage = read_usage(json);
  const Json* choices = member(json, "choices");
  if (choices == nullptr || !choices->is_array() || choices->empty()) {
    reply.error = "the reply has no choices";
    return reply;
  }
  const Json& choice = choices->front();
  const Json* message = member(choice, "message");
  const auto text = read_content(
      member(message != nullptr ? *message : choice, message != nullptr ? "content" : "text"));
  const std::string refusal = message != nullptr ? text_at(*message, "refusal") : std::string();
  const std::string reason = text_at(choice, "finish_reason");
  if ((!text || text->empty()) && !refusal.empty()) {
    reply.failure = Failure::content_filter;
    reply.finish_reason = FinishReason::filter;
    reply.error = "the model refused: " + shortened(refusal);
    return reply;
  }
  reply.failure = Failure::none;
  reply.text = text.value_or("");
  read_end(reason, reply);
  if (!text && reply.ok()) {
    reply.failure = Failure::malformed;
    reply.error = "the answer has no text";
  }
  if (logprobs) read_logprobs(choice, reply);
  return reply;
}

// Some gateways send errors of their own with status 200.
std::optional<int> hidden_status(const Json& json) {
  const Json* error = member(json, "error");
  if (error == nullptr || member(json, "choices") != nullptr) return std::nullopt;
  const std::string code = text_at(*error, "code");
  int status = 0;
  const auto read = std::from_chars(code.data(), code.data() + code.size(), status);
  return read.ec == std::errc() && status >= 400 && status < 600 ? status : 500;
}

}  // namespace

ChatReply read_api_reply(int status, std::string_view body, bool logprobs) {
  if (status < 200 || status >= 300) return read_failure(status, body);
  try {
    const Json json = parse_json(body, "the reply");
    if (const auto hidden = hidden_status(json)) return read_failure(*hidden, body);
    return read_answer(json, logprobs);
  } catch (const std::exception&) {
    const char* what = is_html(body) ? "an HTML page instead of a reply: " : "no whole JSON: ";
    return failed(Failure::malformed, what + shortened(body));
  }
}

std::vector<std::string> read_model_names(std::string_view body) {
  std::vector<std::string> names;
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  const Json* data = member(json, "data");
  if (data == nullptr || !data->is_array()) return names;
  for (const Json& model : *data) {
    std::string id = text_at(model, "id");
    if (!id.empty()) names.push_back(std::move(id));
  }
  return names;
}

std::string offered_models(const std::vector<std::string>& names) {
  if (names.empty()) return {};
  constexpr std::size_t kShown = 20;
  const std::size_t shown = std::min(names.size(), kShown);
  const std::vector<std::string> first(names.begin(),
                                       names.begin() + static_cast<std::ptrdiff_t>(shown));
  const std::string more =
      names.size() > shown ? " and " + std::to_string(names.size() - shown) + " more" : "";
  return "; the endpoint offers " + join(first, ", ") + more;
}

}  // namespace tapir::llm
