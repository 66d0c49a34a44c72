#include "gym/request.h"

#include "base/hash.h"
#include "base/strings.h"
#include "prompting/prompts.h"
#include "records/instruction.h"

namespace tapir::gym {
namespace {

std::int64_t words_in(std::string_view text) {
  return static_cast<std::int64_t>(split_whitespace(text).size());
}

}  // namespace

std::string last_user_text(const llm::ChatRequest& request) {
  for (auto message = request.messages.rbegin(); message != request.messages.rend(); ++message) {
    if (message->role == Role::user) return message->content;
  }
  return "";
}

std::optional<std::string> read_payload(std::string_view text, std::string_view fence) {
  const auto payload = prompting::read_fence(text, fence);
  if (!payload) return std::nullopt;
  return std::string(trim(*payload));
}

RandomStream stream_of(const llm::ModelIdentity& identity, std::uint64_t seed,
                       const llm::ChatRequest& request) {
  std::string all;
  for (const Message& message : request.messages) {
    all += hash_fields({to_string(message.role), message.content});
  }
  const std::string sampling_seed =
      request.sampling.seed ? std::to_string(*request.sampling.seed) : "none";
  return RandomStream(
      seed, "gym/" + identity.model,
      hash_fields({identity.settings, sampling_seed, std::to_string(request.attempt), all}));
}

llm::ChatReply answered(const llm::ChatRequest& request, std::string text) {
  llm::ChatReply reply;
  reply.usage.completion_tokens = words_in(text);
  for (const Message& message : request.messages)
    reply.usage.prompt_tokens += words_in(message.content);
  reply.text = std::move(text);
  return reply;
}

llm::ChatReply refused(std::string why) {
  llm::ChatReply reply;
  reply.failure = llm::Failure::invalid_request;
  reply.error = std::move(why);
  reply.error_code = kNoGymRequest;
  return reply;
}

}  // namespace tapir::gym
