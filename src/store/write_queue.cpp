#include "store/write_queue.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace tapir::store {

WriteQueue::WriteQueue(std::unique_ptr<Connection> connection, const WriteQueueOptions& options)
    : options_(options), connection_(std::move(connection)), writer_([this] { loop(); }) {}

WriteQueue::~WriteQueue() { finish(); }

void WriteQueue::finish() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    work_.notify_all();
  }
  if (writer_.joinable()) writer_.join();
}

void WriteQueue::put(Write write) {
  std::unique_lock lock(mutex_);
  // The writer itself (a put from a done) must not wait for room that only it can make.
  if (write.bounded && std::this_thread::get_id() != writer_.get_id()) {
    room_.wait(lock, [&] { return failure_ || queue_.size() < options_.capacity; });
  }
  if (failure_) std::rethrow_exception(failure_);
  queue_.push_back(std::move(write));
  ++taken_in_;
  if (queue_.size() == 1 || queue_.size() >= options_.enough) work_.notify_one();
}

void WriteQueue::flush() {
  std::unique_lock lock(mutex_);
  check(std::this_thread::get_id() != writer_.get_id(),
        "run store: flush or read on the writer thread");
  const std::uint64_t last = taken_in_;
  if (settled_ < last) {
    ++flushing_;
    work_.notify_one();
    durable_.wait(lock, [&] { return settled_ >= last; });
    --flushing_;
  }
  if (failure_) std::rethrow_exception(failure_);
}

void WriteQueue::throw_if_failed() const {
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

std::vector<Write> WriteQueue::take_batch(std::unique_lock<std::mutex>& lock) {
  work_.wait(lock, [&] { return closing_ || !queue_.empty(); });
  work_.wait_for(lock, options_.patience,
                 [&] { return closing_ || flushing_ > 0 || queue_.size() >= options_.enough; });
  std::vector<Write> batch;
  move_queued(batch);
  return batch;
}

void WriteQueue::move_queued(std::vector<Write>& batch) {
  while (!queue_.empty() && batch.size() < options_.most) {
    const bool alone = queue_.front().alone;
    if (alone && !batch.empty()) break;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
    if (alone) break;
  }
  room_.notify_all();
}

void WriteQueue::loop() {
  for (;;) {
    std::unique_lock lock(mutex_);
    std::vector<Write> batch = take_batch(lock);
    if (batch.empty() && closing_) return;
    lock.unlock();
    finish_batch(std::move(batch));
  }
}

void WriteQueue::finish_batch(std::vector<Write> batch) {
  std::exception_ptr failure = commit(batch);
  std::deque<Write> dropped;
  {
    const std::lock_guard lock(mutex_);
    if (failure && !failure_) failure_ = failure;
    settled_ += batch.size();
    if (failure_) {
      dropped.swap(queue_);
      settled_ += dropped.size();
      room_.notify_all();
    }
    durable_.notify_all();
  }
  failure = run_done(batch);
  if (!failure)
    failure = run_done(
        {std::make_move_iterator(dropped.begin()), std::make_move_iterator(dropped.end())});
  if (!failure) return;
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = failure;
}

std::exception_ptr WriteQueue::commit(std::vector<Write>& batch) noexcept {
  try {
    if (batch.front().alone) {
      batch.front().work(*connection_);
      return nullptr;
    }
    Transaction transaction(*connection_);
    for (std::size_t next = 0; next < batch.size();) {
      for (; next < batch.size(); ++next) batch[next].work(*connection_);
      const std::lock_guard lock(mutex_);
      move_queued(batch);
    }
    transaction.commit();
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

// An exception of one done must not keep the others from being called.
std::exception_ptr WriteQueue::run_done(const std::vector<Write>& batch) noexcept {
  std::exception_ptr first;
  for (const Write& write : batch) {
    if (!write.done) continue;
    try {
      write.done();
    } catch (...) {
      if (!first) first = std::current_exception();
    }
  }
  return first;
}

}  // namespace tapir::store
