// Waiting for the user.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace tapir::cli {

// Returns when stop is requested.
inline void wait_for_stop(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait(lock, stop, [] { return false; });
}

}  // namespace tapir::cli
