// Threads that take the steps of one computation together. No torch here.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace tapir::student {

// The caller's thread is member 0. Made for work of microseconds: members wait awake for a moment
// before they sleep. A member's thread starts when it first takes part. Use it from one thread at
// a time.
class Team {
 public:
  explicit Team(int size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return size_; }

  // How many members take part in the next runs: the others sleep. REQUIRES: 1 to size(); no run is
  // under way.
  void set_active(int members);

  // work(member) on every active member; returns when all are done. `work` must not throw: the
  // others would wait for it for ever.
  void run(const std::function<void(int member)>& work);

  // Within work: waits until all active members have come here; what they wrote before can be read
  // then.
  void sync();

  // A member's part of [0, count), in multiples of `step` (the last one may be shorter).
  struct Share {
    std::int64_t first, last;
  };
  Share share(int member, std::int64_t count, std::int64_t step = 1) const;

 private:
  struct alignas(64) Turn {
    std::atomic<std::uint32_t> count = 0;  // of the runs that a member took part in
  };
  void serve(int member);
  void start_threads();

  const int size_;
  int active_;
  const std::function<void(int)>* work_ = nullptr;
  const std::unique_ptr<Turn[]> turns_;               // of the members
  alignas(64) std::atomic<std::uint32_t> phase_ = 0;  // counts meetings in sync()
  alignas(64) std::atomic<int> arrived_ = 0;
  std::atomic<bool> closing_ = false;
  std::vector<std::jthread> threads_;  // last: joined before the rest goes
};

}  // namespace tapir::student
