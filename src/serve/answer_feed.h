// The answers to one HTTP request, as they come from the model's threads to the connection's.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "llm/chat_model.h"

namespace tapir::serve {

struct AnswerEvent {
  std::size_t choice;
  llm::ChatDelta delta;                 // when it is no reply
  std::optional<llm::ChatReply> reply;  // the end of this choice
};

class AnswerFeed {
 public:
  // Submits all of them. With `stream` the pieces come as they are made, where the model can show
  // them; otherwise the replies only. on_reply: for every reply, on a thread of the model's, even
  // when the feed is gone.
  AnswerFeed(llm::ChatModel& model, const std::vector<llm::ChatRequest>& requests, bool stream,
             std::function<void(const llm::ChatReply&)> on_reply);
  ~AnswerFeed();  // cancel()
  AnswerFeed(const AnswerFeed&) = delete;
  AnswerFeed& operator=(const AnswerFeed&) = delete;

  // Pieces of a choice in order, its reply last; pieces that have piled up come as one. Nothing:
  // time is up.
  std::optional<AnswerEvent> next(std::chrono::milliseconds longest);
  // The answers are not wanted any more: those still in work leave the model.
  void cancel() { cancel_.request_stop(); }

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  std::stop_source cancel_;
};

}  // namespace tapir::serve
