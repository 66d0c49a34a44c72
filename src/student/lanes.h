// Threads that work side by side on one training step.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace tapir::student {

// One thread per lane (the caller's is lane 0). Results must not depend on which lanes run at the
// same time.
class LanePool {
 public:
  explicit LanePool(int lanes);
  ~LanePool();
  LanePool(const LanePool&) = delete;
  LanePool& operator=(const LanePool&) = delete;

  int lanes() const { return static_cast<int>(threads_.size()) + 1; }

  // work(lane) for every lane; returns when all are done. The exception of the lowest lane that
  // threw is thrown again.
  void run(const std::function<void(int lane)>& work);

 private:
  void serve(int lane);
  void work_guarded(int lane);

  std::mutex mutex_;
  std::condition_variable begin_;
  std::condition_variable end_;
  const std::function<void(int)>* work_ = nullptr;
  std::uint64_t turn_ = 0;  // counts calls of run()
  int running_ = 0;
  bool closing_ = false;
  std::vector<std::exception_ptr> failures_;  // by lane
  std::vector<std::thread> threads_;
};

// body(i) for i in [0, count), on all cores; the order is not fixed. The first exception by index
// is thrown again.
void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body);

}  // namespace tapir::student
