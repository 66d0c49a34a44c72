// Bootstrap and sign-flip test on paired differences. All draws come from the caller's stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "stats/intervals.h"

namespace tapir::stats {

struct BootstrapOptions {
  int resamples = 2000;
  double confidence = 0.95;
};

// Percentile interval (quantiles by linear interpolation) of a statistic; resampled() draws one
// resample and gives its value.
Interval bootstrap_interval(const std::function<double()>& resampled,
                            const BootstrapOptions& options = {});

// The same of the mean of `values`: for a paired comparison, give the differences. REQUIRES: not
// empty.
Interval bootstrap_mean(std::span<const double> values, RandomStream& stream,
                        const BootstrapOptions& options = {});

// The same of the mean over strata of the strata's means, values resampled within each stratum.
// Empty strata do not count. REQUIRES: at least one value.
Interval bootstrap_macro_mean(const std::vector<std::vector<double>>& strata, RandomStream& stream,
                              const BootstrapOptions& options = {});

struct SignFlipOptions {
  int exact_up_to = 20;  // non-zero differences: all 2^n sign patterns are counted
  // Beyond that the patterns are counted by their sums where all differences are multiples of one
  // unit, as scores and their means are: n times the sum of |differences| / unit steps at most.
  std::size_t exact_steps = 50'000'000;
  int flips = 10000;  // else: Monte Carlo draws
};

// Two-sided p of the hypothesis that the differences are symmetric about zero; statistic |sum|.
// Zeros change nothing. Exact, and without a draw, wherever it can be counted; never 0. Monte
// Carlo: (hits + 1) / (flips + 1). 1 when every difference is zero.
double sign_flip_p(std::span<const double> differences, RandomStream& stream,
                   const SignFlipOptions& options = {});

// Two systems on the same items, differences by stratum (cell): mean over strata of the strata's
// mean differences, its bootstrap interval, and the sign-flip p of the differences at the weight
// they have in that mean.
struct MacroComparison {
  double difference = 0;
  Interval interval;
  double p = 1;
};
// Draws from the streams (seed, "compare/bootstrap" and "compare/sign_flip", name). Empty strata do
// not count; nothing at all: difference 0, p 1.
MacroComparison compare_macro(const std::vector<std::vector<double>>& differences_by_stratum,
                              std::uint64_t seed, std::string_view name);

}  // namespace tapir::stats
