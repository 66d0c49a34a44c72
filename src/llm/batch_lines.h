// Files of the Batch API as texts: one request a line out, one reply a line in. OpenAI's batches
// and vLLM's run_batch take and give the same lines, but for how they say what failed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "llm/chat_model.h"

namespace tapir::llm {

// What OpenAI takes in one file.
inline constexpr std::size_t kMaxBatchRequests = 50'000;
inline constexpr std::size_t kMaxBatchBytes = 200'000'000;

// {"custom_id", "method", "url", "body"} with its line end. body: the JSON object that would be
// posted (openai_api.h); one with messages goes to /v1/chat/completions, else to /v1/completions.
std::string batch_line(std::string_view custom_id, std::string_view body);

// One line of an output or error file.
struct BatchLine {
  std::string custom_id;
  // As an endpoint's (read_api_reply), without ids and times. What the batch itself gave up
  // (expired, cancelled) is server_error: asked again in another batch.
  ChatReply reply;
  std::string problem;  // why this is no reply of a batch; empty when it is one
};
// {"custom_id", "response": {"status_code", "body"}, "error"}. Takes any bytes; never throws.
BatchLine read_batch_line(std::string_view line);

}  // namespace tapir::llm
