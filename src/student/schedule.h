// The learning rate of every step, as transformers' schedulers give it.
#pragma once

#include <cstdint>

#include "student/student.h"

namespace tapir::student {

// Error{usage} for an unknown lr_scheduler_type, with the known ones.
class Schedule {
 public:
  // own_steps: of this training; the schedule runs over options.schedule_total_steps when that is
  // not 0.
  Schedule(const TrainOptions& options, std::int64_t own_steps);

  // step: of this training, from 0. The first step of a warm-up has rate 0.
  double learning_rate(std::int64_t step) const;

 private:
  enum class Shape { cosine, linear, constant };

  Shape shape_;
  double peak_;
  std::int64_t first_;
  std::int64_t total_;
  std::int64_t warmup_;
};

}  // namespace tapir::student
