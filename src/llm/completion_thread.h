// Helpers of the wrappers: a thread for completions that must not run inside submit(), and a count
// of what is in flight.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace tapir::llm {

// Runs tasks one after the other on a thread of its own. Thread-safe. Tasks must not throw.
class CompletionThread {
 public:
  CompletionThread();
  ~CompletionThread();  // after all tasks
  CompletionThread(const CompletionThread&) = delete;
  CompletionThread& operator=(const CompletionThread&) = delete;

  void post(std::function<void()> task);  // never blocks; the caller bounds what is in flight

 private:
  void loop();

  std::mutex mutex_;
  std::condition_variable not_empty_;
  std::deque<std::function<void()>> tasks_;
  bool closing_ = false;
  std::thread thread_;  // last: it uses everything above
};

// Counts requests between submit() and the end of their completion. Thread-safe.
class InFlight {
 public:
  void enter();
  void leave();
  void wait();  // until there are none

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  std::size_t count_ = 0;
};

}  // namespace tapir::llm
