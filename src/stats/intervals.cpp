#include "stats/intervals.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "stats/distributions.h"

namespace tapir::stats {

double mean(std::span<const double> values) {
  if (values.empty()) return 0;
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double sample_sd(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double centre = mean(values);
  double squares = 0;
  for (const double value : values) squares += (value - centre) * (value - centre);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

Interval wilson_interval(std::int64_t successes, std::int64_t trials, double confidence) {
  check(successes >= 0 && successes <= trials,
        "wilson_interval: successes must lie in [0, trials]");
  if (trials == 0) return {0, 1};
  const double z = normal_quantile(0.5 + confidence / 2);
  const double n = static_cast<double>(trials);
  const double share = static_cast<double>(successes) / n;
  const double scale = 1 / (1 + z * z / n);
  const double centre = (share + z * z / (2 * n)) * scale;
  const double half = z * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n)) * scale;
  // At the ends the bound is exactly 0 or 1; rounding must not push it out of the share's range.
  return {successes == 0 ? 0.0 : std::max(0.0, centre - half),
          successes == trials ? 1.0 : std::min(1.0, centre + half)};
}

Interval student_t_interval(std::span<const double> values, double confidence) {
  const double infinity = std::numeric_limits<double>::infinity();
  if (values.size() < 2) return {-infinity, infinity};
  const double n = static_cast<double>(values.size());
  const double centre = mean(values);
  const double half =
      student_t_quantile(0.5 + confidence / 2, n - 1) * sample_sd(values) / std::sqrt(n);
  return {centre - half, centre + half};
}

}  // namespace tapir::stats
