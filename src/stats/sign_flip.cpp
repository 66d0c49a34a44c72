#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>

#include "base/error.h"
#include "stats/resampling.h"

namespace tapir::stats {
namespace {

// Share of all sign patterns whose |sum| reaches `bound`. Patterns in Gray code order: one sign
// changes at a time. The first sign stays: a pattern and its mirror image have the same |sum|.
double exact_p(const std::vector<double>& values, double observed, double slack) {
  const std::uint64_t patterns = 1ULL << (values.size() - 1);
  std::vector<bool> negative(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  std::uint64_t hits = std::fabs(sum) >= observed - slack ? 1 : 0;
  for (std::uint64_t pattern = 1; pattern < patterns; ++pattern) {
    const auto flipped = static_cast<std::size_t>(std::countr_zero(pattern)) + 1;
    sum += negative[flipped] ? 2 * values[flipped] : -2 * values[flipped];
    negative[flipped] = !negative[flipped];
    if (std::fabs(sum) >= observed - slack) ++hits;
  }
  return static_cast<double>(hits) / static_cast<double>(patterns);
}

// The largest unit of which all values are multiples, but for rounding: Euclid's algorithm. Values
// that have none end in a tiny remainder, of which they are far too many multiples to be counted.
double common_unit(const std::vector<double>& values, double rounding) {
  double unit = 0;
  for (const double value : values) {
    double rest = std::fabs(value);
    while (rest > rounding) {
      const double next = std::fabs(std::remainder(unit, rest));
      unit = rest;
      rest = next;
    }
  }
  return unit;
}

// The values as whole multiples of one unit; nothing when there is none, or counting by sums would
// take more than `most_steps`.
std::optional<std::vector<std::int64_t>> multiples_of(const std::vector<double>& values,
                                                      std::size_t most_steps) {
  double size = 0;
  double largest = 0;
  for (const double value : values) {
    size += std::fabs(value);
    largest = std::max(largest, std::fabs(value));
  }
  const double unit = common_unit(values, 1e-9 * largest);
  const double steps = size / unit * static_cast<double>(values.size());
  if (!(steps <= static_cast<double>(most_steps))) return std::nullopt;
  std::vector<std::int64_t> multiples;
  for (const double value : values) {
    const double multiple = std::round(value / unit);
    if (std::fabs(value / unit - multiple) > 1e-6) return std::nullopt;
    multiples.push_back(static_cast<std::int64_t>(multiple));
  }
  return multiples;
}

// The same share by the distribution of the sum of those that are positive, one value after the
// other.
std::optional<double> lattice_p(const std::vector<double>& values, std::size_t most_steps) {
  const auto multiples = multiples_of(values, most_steps);
  if (!multiples) return std::nullopt;
  std::vector<double> share = {1};  // [sum of the positive ones]
  std::int64_t observed = 0;
  for (const std::int64_t multiple : *multiples) {
    observed += multiple;
    const auto step = static_cast<std::size_t>(std::abs(multiple));
    share.resize(share.size() + step, 0.0);
    for (std::size_t sum = share.size(); sum-- > step;)
      share[sum] = 0.5 * share[sum] + 0.5 * share[sum - step];
    for (std::size_t sum = 0; sum < step; ++sum) share[sum] *= 0.5;
  }
  const auto total = static_cast<std::int64_t>(share.size()) - 1;
  double p = 0;
  for (std::int64_t sum = 0; sum <= total; ++sum) {
    if (std::abs(2 * sum - total) >= std::abs(observed)) p += share[static_cast<std::size_t>(sum)];
  }
  return std::clamp(p, std::numeric_limits<double>::min(), 1.0);
}

double monte_carlo_p(const std::vector<double>& values, double bound, int flips,
                     RandomStream& stream) {
  int hits = 0;
  for (int flip = 0; flip < flips; ++flip) {
    double sum = 0;
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i % 64 == 0) bits = stream.next();
      sum += (bits & 1) != 0 ? values[i] : -values[i];
      bits >>= 1;
    }
    if (std::fabs(sum) >= bound) ++hits;
  }
  return (hits + 1.0) / (flips + 1.0);
}

}  // namespace

double sign_flip_p(std::span<const double> differences, RandomStream& stream,
                   const SignFlipOptions& options) {
  check(options.exact_up_to <= 30 && options.flips > 0,
        "sign_flip_p: exact_up_to <= 30 and flips > 0");
  std::vector<double> values;
  double sum = 0;
  double size = 0;
  for (const double difference : differences) {
    if (difference == 0) continue;
    values.push_back(difference);
    sum += difference;
    size += std::fabs(difference);
  }
  if (values.empty()) return 1;
  // Sums of the same numbers in another order differ in the last bits: ties must count as ties.
  const double slack = 1e-12 * size;
  const double observed = std::fabs(sum);
  if (values.size() <= static_cast<std::size_t>(std::max(options.exact_up_to, 0))) {
    return exact_p(values, observed, slack);
  }
  if (const auto p = lattice_p(values, options.exact_steps)) return *p;
  return monte_carlo_p(values, observed - slack, options.flips, stream);
}

}  // namespace tapir::stats
