#include "gym/answering_model.h"

#include <chrono>
#include <utility>

#include "base/clock.h"

namespace tapir::gym {

AnsweringModel::AnsweringModel(llm::ModelIdentity identity, Answer answer, std::size_t threads,
                               std::size_t capacity)
    : identity_(std::move(identity)), answer_(std::move(answer)), capacity_(capacity) {
  for (std::size_t i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
}

AnsweringModel::~AnsweringModel() {
  const std::lock_guard lock(mutex_);
  closing_ = true;
  not_empty_.notify_all();
}

void AnsweringModel::submit(llm::ChatRequest request, llm::Completion done, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  not_full_.wait(lock, stop, [&] { return admitted_.size() < capacity_; });
  auto& queue = stop.stop_requested() ? refused_ : admitted_;
  queue.push_back({std::move(request), std::move(done)});
  not_empty_.notify_one();
}

void AnsweringModel::work() {
  while (true) {
    std::unique_lock lock(mutex_);
    not_empty_.wait(lock, [&] { return closing_ || !admitted_.empty() || !refused_.empty(); });
    const bool refused = !refused_.empty();
    auto& queue = refused ? refused_ : admitted_;
    if (queue.empty()) return;
    Job job = std::move(queue.front());
    queue.pop_front();
    not_full_.notify_one();
    lock.unlock();

    llm::ChatReply reply;
    if (refused) {
      reply.failure = llm::Failure::stopped;
      reply.error = "stopped before the request was admitted";
    } else {
      const auto start = std::chrono::steady_clock::now();
      reply = answer_(identity_, job.request);
      reply.seconds = seconds_since(start);
      reply.attempts_charged = 1;
    }
    reply.row_id = job.request.row_id;
    job.done(std::move(reply));
  }
}

}  // namespace tapir::gym
