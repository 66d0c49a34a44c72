#include "student/team.h"

#include <algorithm>

#include "base/error.h"

namespace tapir::student {
namespace {

// Some tens of microseconds: longer than a step takes between two meetings, shorter than what a
// thread that was put aside costs its core.
constexpr int kSpins = 2000;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Returns when the value is no longer `old`.
void wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

Team::Team(int size)
    : size_(std::max(1, size)),
      active_(size_),
      turns_(std::make_unique<Turn[]>(static_cast<std::size_t>(size_))) {}

Team::~Team() {
  closing_ = true;
  for (int member = 1; member < size_; ++member) {
    turns_[static_cast<std::size_t>(member)].count.fetch_add(1);
    turns_[static_cast<std::size_t>(member)].count.notify_one();
  }
}

void Team::set_active(int members) {
  check(members >= 1 && members <= size_, "1 to size() members of a team");
  active_ = members;
}

void Team::start_threads() {
  for (int member = static_cast<int>(threads_.size()) + 1; member < active_; ++member)
    threads_.emplace_back([this, member] { serve(member); });
}

void Team::serve(int member) {
  for (std::uint32_t seen = 0;; ++seen) {
    wait_for_change(turns_[static_cast<std::size_t>(member)].count, seen);
    if (closing_) return;
    (*work_)(member);
    sync();
  }
}

void Team::run(const std::function<void(int)>& work) {
  if (active_ == 1) return work(0);
  start_threads();
  work_ = &work;
  for (int member = 1; member < active_; ++member) {
    std::atomic<std::uint32_t>& turn = turns_[static_cast<std::size_t>(member)].count;
    turn.fetch_add(1, std::memory_order_release);
    turn.notify_one();
  }
  work(0);
  sync();
}

void Team::sync() {
  if (active_ == 1) return;
  const std::uint32_t phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < active_) {
    return wait_for_change(phase_, phase);
  }
  arrived_.store(0, std::memory_order_relaxed);
  phase_.fetch_add(1, std::memory_order_release);
  phase_.notify_all();
}

Team::Share Team::share(int member, std::int64_t count, std::int64_t step) const {
  const std::int64_t steps = (count + step - 1) / step;
  return {std::min(count, steps * member / active_ * step),
          std::min(count, steps * (member + 1) / active_ * step)};
}

}  // namespace tapir::student
