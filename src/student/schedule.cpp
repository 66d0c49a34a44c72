#include "student/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::student {

Schedule::Schedule(const TrainOptions& options, std::int64_t own_steps)
    : peak_(options.learning_rate),
      first_(options.schedule_first_step),
      total_(options.schedule_total_steps > 0 ? options.schedule_total_steps : own_steps) {
  const std::string& type = options.lr_scheduler_type;
  if (type == "cosine") {
    shape_ = Shape::cosine;
  } else if (type == "linear") {
    shape_ = Shape::linear;
  } else if (type == "constant" || type == "constant_with_warmup") {
    shape_ = Shape::constant;
  } else {
    const auto meant = nearest(type, {"cosine", "linear", "constant"});
    throw Error(ErrorKind::usage,
                "lr_scheduler_type: found \"" + type + "\", expected cosine, linear or constant",
                meant ? "did you mean " + *meant + "?" : "");
  }
  warmup_ =
      static_cast<std::int64_t>(std::ceil(static_cast<double>(total_) * options.warmup_ratio));
}

double Schedule::learning_rate(std::int64_t step) const {
  const std::int64_t at = first_ + step;
  if (at < warmup_)
    return peak_ * static_cast<double>(at) /
           static_cast<double>(std::max<std::int64_t>(1, warmup_));
  const auto left = static_cast<double>(std::max<std::int64_t>(1, total_ - warmup_));
  const double progress = static_cast<double>(at - warmup_) / left;
  switch (shape_) {
    case Shape::cosine:
      return peak_ * std::max(0.0, 0.5 * (1 + std::cos(std::numbers::pi * progress)));
    case Shape::linear:
      return peak_ * std::max(0.0, 1 - progress);
    case Shape::constant:
      break;
  }
  return peak_;
}

}  // namespace tapir::student
