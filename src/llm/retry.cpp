#include "llm/retry.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

#include "base/random.h"

namespace tapir::llm {
namespace {
// How soon a stop is noticed while requests wait.
constexpr std::chrono::milliseconds kLookForStop{20};
}  // namespace

std::chrono::milliseconds retry_delay(const RetryOptions& options, std::string_view key,
                                      int retry) {
  const double doubled = static_cast<double>(options.first_delay.count()) * std::exp2(retry - 1);
  const double most = std::min(doubled, static_cast<double>(options.max_delay.count()));
  RandomStream stream(options.seed, "retry " + std::to_string(retry), key);
  return std::chrono::milliseconds(
      static_cast<std::int64_t>(most * (0.5 + 0.5 * stream.uniform())));
}

struct RetryModel::Call {
  ChatRequest request;
  Completion done;
  std::stop_token stop;
  int sends = 0;
  double usd = 0;
  int attempts_charged = 0;
};

RetryModel::RetryModel(ChatModel& inner, const RetryOptions& options)
    : inner_(inner), options_(options), timer_([this] { wait_and_resend(); }) {}

RetryModel::~RetryModel() {
  in_flight_.wait();
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    changed_.notify_one();
  }
  timer_.join();
}

void RetryModel::submit(ChatRequest request, Completion done, std::stop_token stop) {
  const auto call =
      std::make_shared<Call>(Call{std::move(request), std::move(done), std::move(stop)});
  in_flight_.enter();
  try {
    send(call);
  } catch (...) {
    in_flight_.leave();
    throw;
  }
}

void RetryModel::send(const CallPointer& call) {
  ++call->sends;
  inner_.submit(
      call->request, [this, call](ChatReply reply) { on_reply(call, std::move(reply)); },
      call->stop);
}

void RetryModel::on_reply(const CallPointer& call, ChatReply reply) {
  call->usd += reply.usd;
  call->attempts_charged += reply.attempts_charged;
  const bool again = is_worth_retrying(reply.failure) && call->sends < options_.max_attempts &&
                     !call->stop.stop_requested();
  if (!again) return finish(call, std::move(reply));
  const std::chrono::milliseconds asked(static_cast<std::int64_t>(1000 * reply.retry_after));
  const auto delay =
      asked + retry_delay(options_, reply_key(identity(), call->request), call->sends);
  const std::lock_guard lock(mutex_);
  waiting_.push_back({Clock::now() + delay, call, std::move(reply)});
  changed_.notify_one();
}

void RetryModel::finish(const CallPointer& call, ChatReply reply) {
  reply.usd = call->usd;
  reply.attempts_charged = call->attempts_charged;
  call->done(std::move(reply));
  in_flight_.leave();
}

// Blocks until some wait is over or stopped; nothing at the end.
std::vector<RetryModel::Waiting> RetryModel::take_due() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return closing_ || !waiting_.empty(); });
    if (waiting_.empty()) return {};
    const auto now = Clock::now();
    auto soonest = now + kLookForStop;
    for (const Waiting& one : waiting_) soonest = std::min(soonest, one.due);
    const auto later = std::partition(waiting_.begin(), waiting_.end(), [&](const Waiting& one) {
      return one.due > now && !one.call->stop.stop_requested();
    });
    if (later != waiting_.end()) {
      std::vector<Waiting> due(std::make_move_iterator(later),
                               std::make_move_iterator(waiting_.end()));
      waiting_.erase(later, waiting_.end());
      return due;
    }
    changed_.wait_until(lock, soonest);
  }
}

void RetryModel::wait_and_resend() {
  for (;;) {
    std::vector<Waiting> due = take_due();
    if (due.empty()) return;
    for (Waiting& one : due) {
      if (one.call->stop.stop_requested()) {
        one.last.failure = Failure::stopped;
        finish(one.call, std::move(one.last));
        continue;
      }
      try {
        send(one.call);
      } catch (const std::exception& e) {
        one.last.error = e.what();
        finish(one.call, std::move(one.last));
      }
    }
  }
}

}  // namespace tapir::llm
