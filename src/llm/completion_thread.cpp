#include "llm/completion_thread.h"

#include <utility>

namespace tapir::llm {

CompletionThread::CompletionThread() : thread_([this] { loop(); }) {}

CompletionThread::~CompletionThread() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    not_empty_.notify_one();
  }
  thread_.join();
}

void CompletionThread::post(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  tasks_.push_back(std::move(task));
  not_empty_.notify_one();
}

void CompletionThread::loop() {
  for (;;) {
    std::deque<std::function<void()>> tasks;
    {
      std::unique_lock lock(mutex_);
      not_empty_.wait(lock, [&] { return closing_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      tasks.swap(tasks_);
    }
    for (const auto& task : tasks) task();
  }
}

void InFlight::enter() {
  const std::lock_guard lock(mutex_);
  ++count_;
}

void InFlight::leave() {
  // Notified under the lock: the one who waits may end this object as soon as it can take the lock.
  const std::lock_guard lock(mutex_);
  if (--count_ == 0) none_.notify_all();
}

void InFlight::wait() {
  std::unique_lock lock(mutex_);
  none_.wait(lock, [&] { return count_ == 0; });
}

}  // namespace tapir::llm
