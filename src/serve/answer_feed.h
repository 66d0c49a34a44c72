// The answers to one HTTP request, as they come from the model's threads to the connection's.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "llm/chat_model.h"
#include "serve/api_request.h"

namespace tapir::serve {

struct AnswerEvent {
  std::size_t choice;
  llm::ChatDelta delta;                 // when it is no reply
  std::optional<llm::ChatReply> reply;  // the end of this choice
};

class AnswerFeed {
 public:
  using OnReply = std::function<void(const llm::ChatReply&)>;

  AnswerFeed();
  ~AnswerFeed();  // cancel()
  AnswerFeed(const AnswerFeed&) = delete;
  AnswerFeed& operator=(const AnswerFeed&) = delete;

  // Submits all choices. Where the request wants a stream, the pieces come as they are made, if the
  // model can show them; otherwise the replies only. on_reply: once for every choice, on a thread
  // of the model's, even when the feed is gone; here and with Failure::stopped for those that were
  // not submitted because an exception leaves this call.
  void submit(llm::ChatModel& model, const ApiRequest& request, const OnReply& on_reply);

  // Pieces of a choice in order, its reply last; pieces that have piled up come as one. Nothing:
  // time is up.
  std::optional<AnswerEvent> next(std::chrono::milliseconds longest);
  // The answers are not wanted any more: those still in work leave the model.
  void cancel() { cancel_.request_stop(); }

 private:
  struct Shared;
  void submit_choice(llm::ChatModel& model, const ApiRequest& request, std::size_t index,
                     const std::shared_ptr<llm::SharedPrompt>& prompt, const OnReply& on_reply);

  std::shared_ptr<Shared> shared_;
  std::stop_source cancel_;
};

}  // namespace tapir::serve
