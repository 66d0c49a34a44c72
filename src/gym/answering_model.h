// A chat model that answers by a function, on a small pool of threads: what the gym's teacher and
// judge are.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "llm/chat_model.h"

namespace tapir::gym {

// Thread-safe. The answer must be a pure function of identity and request; it runs on several
// threads. A request that was not admitted is done with Failure::stopped, on a worker.
class AnsweringModel final : public llm::ChatModel {
 public:
  using Answer = std::function<llm::ChatReply(const llm::ModelIdentity&, const llm::ChatRequest&)>;
  AnsweringModel(llm::ModelIdentity identity, Answer answer, std::size_t threads = 2,
                 std::size_t capacity = 64);
  ~AnsweringModel() override;  // waits for what was admitted
  AnsweringModel(const AnsweringModel&) = delete;
  AnsweringModel& operator=(const AnsweringModel&) = delete;

  const llm::ModelIdentity& identity() const override { return identity_; }
  void submit(llm::ChatRequest request, llm::Completion done, std::stop_token stop) override;

 private:
  struct Job {
    llm::ChatRequest request;
    llm::Completion done;
  };
  void work();

  const llm::ModelIdentity identity_;
  const Answer answer_;
  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable_any not_full_;
  std::condition_variable not_empty_;
  std::deque<Job> admitted_;
  std::deque<Job> refused_;  // stop came while they waited
  bool closing_ = false;
  std::vector<std::jthread> workers_;
};

}  // namespace tapir::gym
