#include "stats/hypotheses.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "stats/distributions.h"

namespace tapir::stats {
namespace {

// P(T > distance / standard_error); without an error the distance alone decides.
double upper_p(double distance, const Estimate& estimate) {
  if (estimate.degrees <= 0) return 1;
  if (estimate.standard_error == 0) return distance > 0 ? 0 : 1;
  return student_t_cdf(-distance / estimate.standard_error, estimate.degrees);
}

// The difference, in standard errors, at which the two-sided normal test has that power. Both tails
// count, as in statsmodels' NormalIndPower.
double effect_shown(const PowerOptions& options) {
  check(0 < options.alpha && options.alpha < options.power && options.power < 1,
        "power: 0 < alpha < power < 1");
  const double critical = normal_quantile(1 - options.alpha / 2);
  double low = 0;  // power alpha
  double high = critical + normal_quantile(options.power) + 1;
  for (int i = 0; i < 200 && low < high; ++i) {
    const double middle = (low + high) / 2;
    if (middle == low || middle == high) break;
    const double power = normal_cdf(middle - critical) + normal_cdf(-middle - critical);
    (power < options.power ? low : high) = middle;
  }
  return high;
}

}  // namespace

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double most = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const double value = p[order[rank]];
    check(value >= 0 && value <= 1, "holm: p lies in [0, 1]");
    most = std::max(most, value * static_cast<double>(p.size() - rank));
    adjusted[order[rank]] = std::min(1.0, most);
  }
  return adjusted;
}

Equivalence equivalence(const Estimate& difference, double low, double high) {
  check(low < high, "equivalence: low < high");
  return {upper_p(difference.mean - low, difference), upper_p(high - difference.mean, difference)};
}

double smallest_difference(double standard_error, const PowerOptions& options) {
  return effect_shown(options) * standard_error;
}

std::int64_t items_needed(double sd, double difference, const PowerOptions& options) {
  check(difference > 0 && sd >= 0, "items_needed: difference > 0, sd >= 0");
  const double root = effect_shown(options) * sd / difference;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(root * root)));
}

}  // namespace tapir::stats
