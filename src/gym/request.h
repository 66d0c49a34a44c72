// What the gym's models read in a request: the payloads of the fences in the last user message, and
// the random stream that belongs to it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "llm/chat_model.h"

namespace tapir::gym {

// Text of the last user message; empty when there is none.
std::string last_user_text(const llm::ChatRequest& request);
// The fence's payload without blanks around it.
std::optional<std::string> read_payload(std::string_view text, std::string_view fence);
// Named by the model's identity, the messages, the sampling seed and the attempt.
RandomStream stream_of(const llm::ModelIdentity& identity, std::uint64_t seed,
                       const llm::ChatRequest& request);

// A reply with this text; tokens are counted roughly, one a word.
llm::ChatReply answered(const llm::ChatRequest& request, std::string text);
llm::ChatReply refused(std::string why);  // with the error_code kNoGymRequest
inline constexpr std::string_view kNoGymRequest = "no_gym_request";

}  // namespace tapir::gym
