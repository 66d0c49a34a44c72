#include "student/lanes.h"

#include <algorithm>

namespace tapir::student {

// NOLINTNEXTLINE(bugprone-throw-keyword-missing): a vector of them is made
LanePool::LanePool(int lanes) : failures_(static_cast<std::size_t>(lanes)) {
  for (int lane = 1; lane < lanes; ++lane) threads_.emplace_back([this, lane] { serve(lane); });
}

LanePool::~LanePool() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  begin_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void LanePool::work_guarded(int lane) {
  try {
    (*work_)(lane);
  } catch (...) {
    failures_[static_cast<std::size_t>(lane)] = std::current_exception();
  }
}

void LanePool::serve(int lane) {
  std::uint64_t seen = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      begin_.wait(lock, [&] { return closing_ || turn_ != seen; });
      if (closing_) return;
      seen = turn_;
    }
    work_guarded(lane);
    const std::lock_guard lock(mutex_);
    if (--running_ == 0) end_.notify_one();
  }
}

void LanePool::run(const std::function<void(int)>& work) {
  std::fill(failures_.begin(), failures_.end(), nullptr);
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    running_ = static_cast<int>(threads_.size());
    ++turn_;
  }
  begin_.notify_all();
  work_guarded(0);
  std::unique_lock lock(mutex_);
  end_.wait(lock, [&] { return running_ == 0; });
  for (const std::exception_ptr& failure : failures_) {
    if (failure) std::rethrow_exception(failure);
  }
}

void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body) {
  const auto cores = static_cast<std::int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  const std::int64_t workers = std::clamp<std::int64_t>(count / 16, 1, cores);
  LanePool pool(static_cast<int>(workers));
  pool.run([&](int lane) {
    for (std::int64_t i = count * lane / workers; i < count * (lane + 1) / workers; ++i) body(i);
  });
}

}  // namespace tapir::student
