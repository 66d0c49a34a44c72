#include "serve/conversation.h"

#include <future>
#include <utility>

namespace tapir::serve {

Conversation::Conversation(llm::StreamingChatModel& model, llm::Sampling sampling)
    : model_(model), sampling_(std::move(sampling)) {}

void Conversation::reset() {
  messages_.clear();
  if (!system_.empty()) messages_.push_back({Role::system, system_});
}

void Conversation::set_system(const std::string& text) {
  system_ = text;
  reset();
}

llm::ChatReply Conversation::ask(const std::string& text,
                                 const std::function<void(std::string_view)>& on_text,
                                 std::stop_token stop) {
  llm::ChatRequest request;
  request.attempt = turn_++;  // asking the same again gives another draw
  request.messages = messages_;
  request.messages.push_back({Role::user, text});
  request.sampling = sampling_;
  std::string shown;
  std::promise<llm::ChatReply> answered;
  llm::Streaming streaming;
  streaming.cancel = stop;
  streaming.on_delta = [&](const llm::ChatDelta& delta) {
    shown += delta.text;
    on_text(delta.text);
  };
  model_.submit_streaming(
      request, std::move(streaming),
      [&](llm::ChatReply reply) { answered.set_value(std::move(reply)); }, std::move(stop));
  llm::ChatReply reply = answered.get_future().get();
  const bool stopped = reply.failure == llm::Failure::stopped;
  if (stopped) reply.text = shown;
  if (reply.ok() || (stopped && !reply.text.empty())) {
    messages_ = std::move(request.messages);
    messages_.push_back({Role::assistant, reply.text});
  }
  return reply;
}

}  // namespace tapir::serve
