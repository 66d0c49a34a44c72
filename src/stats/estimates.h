// Means with their standard errors, also of values that come in groups: two turns of one question,
// several judgments of one answer. Pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "base/random.h"
#include "stats/intervals.h"
#include "stats/resampling.h"

namespace tapir::stats {

// What is known of a mean: its error follows Student's t with so many degrees of freedom.
struct Estimate {
  double mean = 0;
  double standard_error = 0;
  double degrees = 0;  // 0: one value (or group) or none, which says nothing of the error
};

// Of independent values. 0 of nothing.
Estimate estimate_mean(std::span<const double> values);

// Mean over all values where those with one label belong together: the labels are independent,
// their values are not. The standard error is the cluster-robust one with the usual correction for
// few groups, G / (G - 1) (statsmodels: OLS on a constant, cov_type="cluster"); G - 1 degrees.
// REQUIRES: as many labels as values.
Estimate estimate_clustered_mean(std::span<const double> values,
                                 std::span<const std::int64_t> labels);

// mean +- t * standard_error; infinite bounds without degrees.
Interval interval_of(const Estimate& estimate, double confidence = 0.95);

// Percentile interval of that mean, whole groups resampled. REQUIRES: not empty, as many labels as
// values.
Interval bootstrap_clustered_mean(std::span<const double> values,
                                  std::span<const std::int64_t> labels, RandomStream& stream,
                                  const BootstrapOptions& options = {});

}  // namespace tapir::stats
