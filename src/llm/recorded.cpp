#include "llm/recorded.h"

#include <utility>

#include "base/hash.h"

namespace tapir::llm {
namespace {

std::string digest_of(const std::map<std::string, std::string>& answers) {
  std::string rows;
  for (const auto& [key, answer] : answers) rows += hash_fields({key, answer});
  return sha256_hex(rows);
}

}  // namespace

RecordedModel::RecordedModel(std::map<std::string, std::string> answers, RecordedBy by,
                             std::string name)
    : answers_(std::move(answers)),
      by_(by),
      identity_{"recorded", std::move(name), digest_of(answers_)} {}

ChatReply RecordedModel::answer(const ChatRequest& request) const {
  ChatReply reply;
  reply.row_id = request.row_id;
  reply.key = reply_key(identity_, request);
  const bool by_row = by_ == RecordedBy::row_id || request.messages.empty();
  const auto found = answers_.find(by_row ? request.row_id : request.messages.back().content);
  if (found != answers_.end()) {
    reply.text = found->second;
    reply.attempts_charged = 1;
    return reply;
  }
  reply.failure = Failure::invalid_request;
  reply.error = "no recorded answer for row " + request.row_id;
  return reply;
}

void RecordedModel::submit(ChatRequest request, Completion done, std::stop_token) {
  thread_.post(
      [this, request = std::move(request), done = std::move(done)] { done(answer(request)); });
}

}  // namespace tapir::llm
