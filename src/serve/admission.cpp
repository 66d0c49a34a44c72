#include "serve/admission.h"

#include <algorithm>
#include <cmath>

namespace tapir::serve {

Admission::Verdict Admission::enter(std::size_t answers) {
  const std::lock_guard lock(mutex_);
  if (closed_) return Verdict::closed;
  if (in_flight_ + answers > limit_) return Verdict::full;
  in_flight_ += answers;
  return Verdict::admitted;
}

void Admission::leave(double seconds) {
  constexpr double kWeight = 0.1;
  const std::lock_guard lock(mutex_);
  usual_seconds_ += kWeight * (seconds - usual_seconds_);
  if (--in_flight_ == 0) empty_.notify_all();
}

void Admission::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

bool Admission::wait_empty(std::chrono::milliseconds longest) {
  std::unique_lock lock(mutex_);
  return empty_.wait_for(lock, longest, [&] { return in_flight_ == 0; });
}

std::size_t Admission::in_flight() const {
  const std::lock_guard lock(mutex_);
  return in_flight_;
}

int Admission::retry_after() const {
  const std::lock_guard lock(mutex_);
  // The time of a whole answer already holds its wait in the queue: a place gets free that often.
  const double seconds =
      std::ceil(usual_seconds_ / static_cast<double>(std::max<std::size_t>(parallel_, 1)));
  return static_cast<int>(std::clamp(seconds, 1.0, 60.0));
}

}  // namespace tapir::serve
