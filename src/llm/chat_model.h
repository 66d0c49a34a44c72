// The seam between the stages and whoever answers them: an HTTP endpoint, a local student, the
// gym's teacher and judge, recorded answers. Header target llm_api; no implementation is needed to
// use it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "records/message.h"

namespace tapir::llm {

// Who answers. Everything here that could change a reply enters the key of every reply.
struct ModelIdentity {
  std::string kind;      // "openai", "gym", "student", "recorded"
  std::string model;     // name at the endpoint, "gym-teacher", ...
  std::string settings;  // canonical text of what else changes replies (gym knobs, system
                         // fingerprint); may be empty
};

// Names as in the OpenAI API. All of them change results and enter the key.
struct Sampling {
  double temperature = 0;
  double top_p = 1;
  int top_k = 0;  // 0: off
  int max_tokens = 1024;
  std::optional<std::int64_t> seed;
  std::vector<std::string> stop;
  bool logprobs = false;
  int top_logprobs = 0;
  bool json_mode = false;
};

struct ChatRequest {
  std::string row_id;  // the caller's id; comes back with the reply; not part of the key
  std::string stage;   // for the accounts; not part of the key
  int attempt = 0;     // part of the key: asking again after an unreadable reply is a new request
  Messages messages;
  std::string prompt;  // raw text to go on with instead of a conversation: when messages is empty
  Sampling sampling;
  // A reply that was cut at max_tokens answers its asker: ask_all() hands it in as one, with
  // finish_reason length. Not part of the key.
  bool cut_is_answer = false;
};

// Why there is no answer.
enum class Failure {
  none,
  // of this send: asked again soon
  rate_limited,  // 429
  server_error,  // 5xx
  connection,    // refused, reset, cut in the middle
  timeout,       // connect, first byte or total deadline
  malformed,  // the transport's answer is not what the API promises (half JSON, HTML, no choices)
  // of nobody's request: nothing gets through until something is mended; the next run asks again
  stopped,       // the run was interrupted before an answer came
  unauthorized,  // 401, 402, 403: the key is refused, or its account cannot pay
  unavailable,   // wrong address, certificate or model name, or no endpoint has answered for long
  budget,        // the cap would be passed: not sent
  waiting,       // for a batch: not sent from here; the next run finds the reply, once imported
  // of the request itself: terminal, waits for `tapir retry`
  length,           // finish_reason length: cut at max_tokens
  content_filter,   // finish_reason content_filter, or a refusal of the endpoint's policy
  invalid_request,  // 400, 413, 422: the same request will be refused again
};
std::string_view to_string(Failure failure);  // "none", "rate_limited", ...
std::optional<Failure> parse_failure(std::string_view name);
// The row is missing, not failed: the next run asks again. Not so for none and the terminal ones.
bool is_transient(Failure failure);
// Asking the same again in this sitting may help.
bool is_worth_retrying(Failure failure);

struct Usage {
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_prompt_tokens = 0;  // part of prompt_tokens
  std::int64_t completion_tokens = 0;
};

struct TokenLogprob {
  std::string token;  // its bytes: not always UTF-8 by itself
  double logprob = 0;
};

struct ChatReply {
  std::string row_id;
  std::string key;  // of the request: reply_key()
  Failure failure = Failure::none;
  std::string error;  // the endpoint's words, shortened; empty when it answered
  std::string
      error_code;  // the endpoint's name for it ("context_length_exceeded"), where it has one
  std::string text;
  FinishReason finish_reason = FinishReason::stop;
  Usage usage;
  std::vector<std::vector<TokenLogprob>> top_logprobs;  // [position][rank], when asked for
  std::vector<TokenLogprob> logprobs;  // [position]: of the answer's own tokens, when asked for and
                                       // the model has them; a cache does not keep them
  double retry_after = 0;              // seconds that the endpoint asks to wait; 0: it said nothing
  double seconds = 0;                  // of the attempt that ended it
  double usd = 0;                      // charged for all attempts of this call
  int attempts_charged =
      0;  // sends that the endpoint may have charged, retries included; 0 when from the cache
  bool from_cache = false;  // a durable reply: nothing was sent
  bool ok() const { return failure == Failure::none; }
};

using Completion = std::function<void(ChatReply)>;

// Thread-safe.
class ChatModel {
 public:
  virtual ~ChatModel() = default;
  virtual const ModelIdentity& identity() const = 0;
  // Blocks while full (back-pressure) or until stop. done: exactly once, on any thread, never
  // inside submit(), not blocking. After stop is requested, done still comes for every request
  // (Failure::stopped when not admitted). The model outlives its requests: its destructor waits for
  // them.
  virtual void submit(ChatRequest request, Completion done, std::stop_token stop) = 0;
};

// A piece of an answer while it is being made. The texts of all pieces make the text of the reply.
struct ChatDelta {
  std::string text;  // whole code points
  // Of the tokens that this piece is made of, when asked for.
  std::vector<std::vector<TokenLogprob>> top_logprobs;
  std::vector<TokenLogprob> logprobs;
};

// Shared by requests for several answers to one prompt, so that the model encodes it once.
struct SharedPrompt {
  std::once_flag encoded;
  std::vector<std::int32_t> tokens;  // once encoded
};

// How a caller follows one request.
struct Streaming {
  std::function<void(ChatDelta)> on_delta;  // in order, before done, on any thread; must not block
  std::stop_token cancel;  // nobody wants the answer any more: it ends soon, with Failure::stopped
  // Of requests with the same messages or prompt; null: nobody shares it.
  std::shared_ptr<SharedPrompt> prompt = nullptr;
};

// A model that shows its answers while it writes them.
class StreamingChatModel : public ChatModel {
 public:
  // As submit(). A reply that fails may follow pieces of text.
  virtual void submit_streaming(ChatRequest request, Streaming streaming, Completion done,
                                std::stop_token stop) = 0;
};

// Digest of identity, messages, sampling and attempt: what a durable reply is found by.
std::string reply_key(const ModelIdentity& identity, const ChatRequest& request);

}  // namespace tapir::llm
