#include "llm/limits.h"

#include <utility>

#include "base/error.h"

namespace tapir::llm {

LimitedModel::LimitedModel(ChatModel& inner, const LimitOptions& options)
    : inner_(inner), options_(options) {
  check(options.max_concurrent_requests > 0, "max_concurrent_requests must be at least 1");
}

LimitedModel::~LimitedModel() { in_flight_.wait(); }

bool LimitedModel::admit(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (stop.stop_requested()) return false;
  if (!changed_.wait(lock, stop, [&] { return running_ < options_.max_concurrent_requests; }))
    return false;
  ++running_;
  return true;
}

void LimitedModel::release() {
  const std::lock_guard lock(mutex_);
  --running_;
  changed_.notify_one();
}

void LimitedModel::submit(ChatRequest request, Completion done, std::stop_token stop) {
  in_flight_.enter();
  if (!admit(stop)) {
    ChatReply reply;
    reply.row_id = request.row_id;
    reply.key = reply_key(identity(), request);
    reply.failure = Failure::stopped;
    thread_.post([this, reply = std::move(reply), done = std::move(done)] {
      done(reply);
      in_flight_.leave();
    });
    return;
  }
  try {
    inner_.submit(
        std::move(request),
        [this, done = std::move(done)](ChatReply reply) {
          release();
          done(std::move(reply));
          in_flight_.leave();
        },
        std::move(stop));
  } catch (...) {
    release();
    in_flight_.leave();
    throw;
  }
}

}  // namespace tapir::llm
