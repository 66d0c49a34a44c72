#include "serve/answer_feed.h"

#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <utility>

namespace tapir::serve {

// Outlives the feed as long as a request is in the model.
struct AnswerFeed::Shared {
  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<AnswerEvent> events;

  void add(AnswerEvent event) {
    const std::lock_guard lock(mutex);
    if (!event.reply && !events.empty() && !events.back().reply &&
        events.back().choice == event.choice) {
      join(events.back().delta, std::move(event.delta));
    } else {
      events.push_back(std::move(event));
    }
    arrived.notify_one();
  }

  static void join(llm::ChatDelta& to, llm::ChatDelta from) {
    to.text += from.text;
    std::move(from.logprobs.begin(), from.logprobs.end(), std::back_inserter(to.logprobs));
    std::move(from.top_logprobs.begin(), from.top_logprobs.end(),
              std::back_inserter(to.top_logprobs));
  }
};

AnswerFeed::AnswerFeed(llm::ChatModel& model, const std::vector<llm::ChatRequest>& requests,
                       bool stream, std::function<void(const llm::ChatReply&)> on_reply)
    : shared_(std::make_shared<Shared>()) {
  auto* streaming = dynamic_cast<llm::StreamingChatModel*>(&model);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto done = [shared = shared_, on_reply, i](llm::ChatReply reply) {
      on_reply(reply);
      shared->add({i, {}, std::move(reply)});
    };
    if (streaming == nullptr) {
      model.submit(requests[i], done, cancel_.get_token());
      continue;
    }
    llm::Streaming how;
    how.cancel = cancel_.get_token();
    if (stream) {
      how.on_delta = [shared = shared_, i](llm::ChatDelta delta) {
        shared->add({i, std::move(delta), std::nullopt});
      };
    }
    streaming->submit_streaming(requests[i], std::move(how), done, cancel_.get_token());
  }
}

AnswerFeed::~AnswerFeed() { cancel(); }

std::optional<AnswerEvent> AnswerFeed::next(std::chrono::milliseconds longest) {
  std::unique_lock lock(shared_->mutex);
  if (!shared_->arrived.wait_for(lock, longest, [&] { return !shared_->events.empty(); })) {
    return std::nullopt;
  }
  AnswerEvent event = std::move(shared_->events.front());
  shared_->events.pop_front();
  return event;
}

}  // namespace tapir::serve
