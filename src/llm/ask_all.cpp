#include "llm/ask_all.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>

namespace tapir::llm {
namespace {

// Where completions of any thread leave their replies. Shared with the completions, so that it
// outlives the last one.
class Inbox {
 public:
  void put(ChatReply reply) {
    const std::lock_guard lock(mutex_);
    replies_.push_back(std::move(reply));
    not_empty_.notify_one();
  }
  std::deque<ChatReply> take_all() {
    const std::lock_guard lock(mutex_);
    return std::exchange(replies_, {});
  }
  std::deque<ChatReply> wait_and_take_all() {
    std::unique_lock lock(mutex_);
    not_empty_.wait(lock, [&] { return !replies_.empty(); });
    return std::exchange(replies_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable not_empty_;
  std::deque<ChatReply> replies_;
};

class Asking {
 public:
  Asking(ChatModel& model, RequestSource& source, ReplySink& sink, std::size_t room,
         std::stop_token stop)
      : model_(model), source_(source), sink_(sink), room_(room), stop_(std::move(stop)) {}

  void run() {
    try {
      for (;;) {
        take(inbox_->take_all());
        if (in_flight_ < room_ && submit_next()) continue;
        if (in_flight_ == 0) return;
        take(inbox_->wait_and_take_all());
      }
    } catch (...) {
      abandoned_.request_stop();
      while (in_flight_ > 0) in_flight_ -= inbox_->wait_and_take_all().size();
      throw;
    }
  }

 private:
  // False: nothing to submit for now.
  bool submit_next() {
    if (stop_.stop_requested()) return false;
    std::optional<ChatRequest> request = source_.next();
    if (!request) return false;
    const bool cut_is_answer = request->cut_is_answer;
    model_.submit(
        std::move(*request),
        [inbox = inbox_, cut_is_answer](ChatReply reply) {
          if (cut_is_answer && reply.failure == Failure::length) {
            reply.failure = Failure::none;
            reply.finish_reason = FinishReason::length;
          }
          inbox->put(std::move(reply));
        },
        abandoned_.get_token());
    ++in_flight_;
    return true;
  }

  void take(std::deque<ChatReply> replies) {
    in_flight_ -= replies.size();
    for (ChatReply& reply : replies) sink_.take(std::move(reply));
  }

  ChatModel& model_;
  RequestSource& source_;
  ReplySink& sink_;
  const std::size_t room_;
  const std::stop_token stop_;
  std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  std::size_t in_flight_ = 0;
  std::stop_source abandoned_;  // by the caller's stop, or by an exception
  std::stop_callback<std::function<void()>> forward_{stop_, [this] { abandoned_.request_stop(); }};
};

}  // namespace

void ask_all(ChatModel& model, RequestSource& source, ReplySink& sink, const AskOptions& options,
             std::stop_token stop) {
  const std::size_t room = options.max_in_flight > 0 ? options.max_in_flight : 1;
  Asking(model, source, sink, room, std::move(stop)).run();
}

}  // namespace tapir::llm
