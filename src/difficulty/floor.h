// The floor under new instructions: what a judged sample of each task's says of its answers, and of
// how many of them the student fails at. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "difficulty/difficulty.h"
#include "stats/intervals.h"

namespace tapir::difficulty {

// Up to `rows_per_task` instructions of each task, drawn by (seed, id): their places in `made`,
// ascending. The same instructions in whatever order they come. REQUIRES: rows_per_task >= 0.
std::vector<std::size_t> floor_sample(std::span<const Instruction> made, std::int64_t rows_per_task,
                                      std::uint64_t seed);

// The new instructions of one task and the judged ones among them.
struct TaskFloor {
  std::int64_t rows = 0;
  std::int64_t judged = 0;
  double mean = 0;                      // of the teacher's scores, 1-10; 0 of nothing
  stats::Interval interval{1, 10};      // of the mean: Student's t, 95 %, cut to the scale
  std::int64_t hard = 0;                // judged ones that the student fails at: the gap passes δ
  stats::Interval hard_interval{0, 1};  // of their share: Wilson, 95 %
  double hard_share() const;            // of the judged ones; 0 of nothing

  // Clearly: the whole interval lies below the score.
  bool is_below(double score) const { return judged > 0 && interval.high < score; }
  // The mean lies below, but too few rows say so.
  bool is_doubtful(double score) const {
    return judged > 0 && mean < score && interval.high >= score;
  }
};

// By task of the instructions in `made`. Fits of other instructions are passed over.
std::map<std::string, TaskFloor> floors_of(std::span<const Instruction> made,
                                           std::span<const Fit> fits, const Threshold& threshold);

}  // namespace tapir::difficulty
