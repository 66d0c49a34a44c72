// Means and intervals. Pure functions.
#pragma once

#include <cstdint>
#include <span>

namespace tapir::stats {

struct Interval {
  double low = 0;
  double high = 0;
  bool contains(double value) const { return low <= value && value <= high; }
};

double mean(std::span<const double> values);  // 0 of nothing
// Sample standard deviation (divisor n - 1); 0 for fewer than two values.
double sample_sd(std::span<const double> values);

// Wilson's score interval of a share. REQUIRES: 0 <= successes <= trials, 0 < confidence < 1. No
// trials: [0, 1].
Interval wilson_interval(std::int64_t successes, std::int64_t trials, double confidence = 0.95);

// Student's t interval of the mean of few values (seeds). Fewer than two values say nothing:
// infinite bounds.
Interval student_t_interval(std::span<const double> values, double confidence = 0.95);

}  // namespace tapir::stats
