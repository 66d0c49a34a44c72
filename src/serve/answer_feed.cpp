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

AnswerFeed::AnswerFeed() : shared_(std::make_shared<Shared>()) {}

void AnswerFeed::submit(llm::ChatModel& model, const ApiRequest& request, const OnReply& on_reply) {
  std::size_t next = 0;
  std::shared_ptr<llm::SharedPrompt> prompt;
  try {
    for (; next < request.choices(); ++next) {
      if (next % request.n == 0) prompt = std::make_shared<llm::SharedPrompt>();
      submit_choice(model, request, next, prompt, on_reply);
    }
  } catch (...) {
    llm::ChatReply unasked;
    unasked.failure = llm::Failure::stopped;
    for (; next < request.choices(); ++next) on_reply(unasked);
    throw;
  }
}

void AnswerFeed::submit_choice(llm::ChatModel& model, const ApiRequest& request, std::size_t index,
                               const std::shared_ptr<llm::SharedPrompt>& prompt,
                               const OnReply& on_reply) {
  auto done = [shared = shared_, on_reply, index](llm::ChatReply reply) {
    on_reply(reply);
    shared->add({index, {}, std::move(reply)});
  };
  auto* streaming = dynamic_cast<llm::StreamingChatModel*>(&model);
  if (streaming == nullptr) {
    model.submit(request.choice(index), std::move(done), cancel_.get_token());
    return;
  }
  llm::Streaming how;
  how.cancel = cancel_.get_token();
  how.prompt = prompt;
  if (request.stream) {
    how.on_delta = [shared = shared_, index](llm::ChatDelta delta) {
      shared->add({index, std::move(delta), std::nullopt});
    };
  }
  streaming->submit_streaming(request.choice(index), std::move(how), std::move(done),
                              cancel_.get_token());
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
