// A small pool of threads that answers chat requests: what the gym's teacher and judge stand on.
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

// Thread-safe. The answer function must be a pure function of the request; it runs on several
// threads.
class AnsweringPool {
 public:
  using Answer = std::function<llm::ChatReply(const llm::ChatRequest&)>;
  explicit AnsweringPool(Answer answer, std::size_t threads = 2, std::size_t capacity = 64);
  ~AnsweringPool();  // waits for what was admitted
  AnsweringPool(const AnsweringPool&) = delete;
  AnsweringPool& operator=(const AnsweringPool&) = delete;

  // Blocks while full or until stop; a request that was not admitted is done with Failure::stopped,
  // on a worker.
  void submit(llm::ChatRequest request, llm::Completion done, std::stop_token stop);

 private:
  struct Job {
    llm::ChatRequest request;
    llm::Completion done;
  };
  void work();

  Answer answer_;
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
