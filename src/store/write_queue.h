// The writer thread of a store: a bounded queue of writes that are grouped into commits. Internal
// to store/.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "store/sqlite.h"

namespace tapir::store {

// Speed only.
struct WriteQueueOptions {
  std::size_t capacity = 4096;            // writes that may wait; put() blocks beyond
  std::size_t enough = 16;                // a commit starts as soon as so many writes wait ...
  std::chrono::milliseconds patience{5};  // ... or the first of them has waited so long
  std::size_t most = 512;                 // writes in one commit
};

// One write. It runs on the writer thread inside a transaction that it shares with its neighbours.
struct Write {
  std::function<void(Connection&)> work;
  // Runs on the writer thread after the commit; also when the writer failed (throw_if_failed()
  // tells). Must not block.
  std::function<void()> done;
  bool alone = false;   // outside of any transaction: brings its own (ATTACH needs that)
  bool bounded = true;  // false: never waits for room; the caller bounds these by other means
};

// Thread-safe. After the first failure nothing more is written: the failed commit is rolled back,
// what waits is dropped (each done still runs once), and every later call throws the failure.
class WriteQueue {
 public:
  WriteQueue(std::unique_ptr<Connection> connection, const WriteQueueOptions& options);
  ~WriteQueue();  // as finish()
  WriteQueue(const WriteQueue&) = delete;
  WriteQueue& operator=(const WriteQueue&) = delete;

  void put(Write write);
  // Waits until everything put before is durable. Never on the writer thread (from a done).
  void flush();
  void throw_if_failed() const;
  // Makes durable what is queued and ends the writer thread; the connection stays open. Nothing may
  // be put afterwards.
  void finish();

 private:
  void loop();
  std::vector<Write> take_batch(std::unique_lock<std::mutex>& lock);
  void move_queued(std::vector<Write>& batch);  // under the lock
  // Writes that arrive while the batch is being written join it.
  std::exception_ptr commit(std::vector<Write>& batch) noexcept;
  std::exception_ptr run_done(const std::vector<Write>& batch) noexcept;
  void finish_batch(std::vector<Write> batch);

  const WriteQueueOptions options_;
  std::unique_ptr<Connection> connection_;

  mutable std::mutex mutex_;
  std::condition_variable work_;     // for the writer
  std::condition_variable room_;     // for put()
  std::condition_variable durable_;  // for flush()
  std::deque<Write> queue_;
  std::uint64_t taken_in_ = 0;  // writes ever put
  std::uint64_t settled_ = 0;   // writes committed, or dropped after a failure
  std::size_t flushing_ = 0;    // callers that wait: no patience then
  bool closing_ = false;
  std::exception_ptr failure_;
  std::thread writer_;  // last: the thread uses everything above
};

}  // namespace tapir::store
