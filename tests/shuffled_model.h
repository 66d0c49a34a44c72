// A ChatModel of the tests: answers by a function, in shuffled order, from a thread of its own.
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "llm/chat_model.h"

namespace tapir::testing {

// Collects requests and answers them in a shuffled order from a thread of its own.
class ShuffledModel : public llm::ChatModel {
 public:
  // Thread-safe functions only: reply(request) gives text or failure.
  using Answer = std::function<llm::ChatReply(const llm::ChatRequest&)>;
  ShuffledModel(Answer answer, std::uint64_t shuffle_seed)
      : answer_(std::move(answer)),
        stream_(shuffle_seed, "shuffle"),
        thread_([this](std::stop_token stop) { loop(stop); }) {}
  ~ShuffledModel() override {
    thread_.request_stop();
    thread_.join();
  }

  const llm::ModelIdentity& identity() const override { return identity_; }

  void submit(llm::ChatRequest request, llm::Completion done, std::stop_token /*stop*/) override {
    const std::lock_guard lock(mutex_);
    asked_.push_back(request);
    waiting_.emplace_back(std::move(request), std::move(done));
  }

  std::vector<llm::ChatRequest> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  using Job = std::pair<llm::ChatRequest, llm::Completion>;

  void loop(const std::stop_token& stop) {
    while (true) {
      std::vector<Job> jobs;
      {
        const std::lock_guard lock(mutex_);
        jobs.swap(waiting_);
      }
      if (jobs.empty()) {
        if (stop.stop_requested()) return;
        std::this_thread::yield();
        continue;
      }
      stream_.shuffle(jobs);
      for (Job& job : jobs) {
        llm::ChatReply reply = answer_(job.first);
        reply.row_id = job.first.row_id;
        reply.key = llm::reply_key(identity_, job.first);
        job.second(std::move(reply));
      }
    }
  }

  Answer answer_;
  RandomStream stream_;
  llm::ModelIdentity identity_{"test", "shuffled", ""};
  mutable std::mutex mutex_;
  std::vector<llm::ChatRequest> asked_;
  std::vector<Job> waiting_;
  std::jthread thread_;  // last: it uses everything above
};

inline llm::ChatReply says(std::string text) {
  llm::ChatReply reply;
  reply.text = std::move(text);
  return reply;
}
inline llm::ChatReply fails(llm::Failure failure) {
  llm::ChatReply reply;
  reply.failure = failure;
  return reply;
}

}  // namespace tapir::testing
