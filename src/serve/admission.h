// How many answers may be asked for at once.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace tapir::serve {

// Thread-safe. Counts answers, not requests: one request may want several.
class Admission {
 public:
  // parallel: answers that the model works on at once; limit: with those that wait.
  Admission(std::size_t parallel, std::size_t limit) : parallel_(parallel), limit_(limit) {}

  enum class Verdict { admitted, full, closed };
  // All of them or none.
  Verdict enter(std::size_t answers);
  void leave(double seconds);  // one answer, and how long it took
  // No answer is admitted any more.
  void close();
  // Until all have left. False: some are still there.
  bool wait_empty(std::chrono::milliseconds longest);

  std::size_t limit() const { return limit_; }
  std::size_t in_flight() const;
  // When trying again is likely to succeed, in whole seconds, 1 to 60.
  int retry_after() const;

 private:
  const std::size_t parallel_, limit_;
  mutable std::mutex mutex_;
  std::condition_variable empty_;
  std::size_t in_flight_ = 0;
  double usual_seconds_ = 1;  // of an answer: moving average
  bool closed_ = false;
};

}  // namespace tapir::serve
