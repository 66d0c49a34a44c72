#include "stats/resampling.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "base/error.h"

namespace tapir::stats {
namespace {

// Quantile of sorted values by linear interpolation, as numpy's default.
double quantile(const std::vector<double>& sorted, double p) {
  const double position = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  if (below + 1 >= sorted.size()) return sorted.back();
  return sorted[below] +
         (position - static_cast<double>(below)) * (sorted[below + 1] - sorted[below]);
}

Interval percentile_interval(std::vector<double> means, double confidence) {
  std::sort(means.begin(), means.end());
  return {quantile(means, (1 - confidence) / 2), quantile(means, (1 + confidence) / 2)};
}

double resampled_mean(std::span<const double> values, RandomStream& stream) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += values[stream.below(values.size())];
  return sum / static_cast<double>(values.size());
}

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

Interval bootstrap_mean(std::span<const double> values, RandomStream& stream,
                        const BootstrapOptions& options) {
  check(!values.empty() && options.resamples > 0, "bootstrap_mean: no values or no resamples");
  std::vector<double> means(static_cast<std::size_t>(options.resamples));
  for (double& value : means) value = resampled_mean(values, stream);
  return percentile_interval(std::move(means), options.confidence);
}

Interval bootstrap_macro_mean(const std::vector<std::vector<double>>& strata, RandomStream& stream,
                              const BootstrapOptions& options) {
  std::vector<std::span<const double>> filled;
  for (const auto& stratum : strata) {
    if (!stratum.empty()) filled.emplace_back(stratum);
  }
  check(!filled.empty() && options.resamples > 0,
        "bootstrap_macro_mean: no values or no resamples");
  std::vector<double> means(static_cast<std::size_t>(options.resamples));
  for (double& value : means) {
    double sum = 0;
    for (const auto& stratum : filled) sum += resampled_mean(stratum, stream);
    value = sum / static_cast<double>(filled.size());
  }
  return percentile_interval(std::move(means), options.confidence);
}

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
  return monte_carlo_p(values, observed - slack, options.flips, stream);
}

MacroComparison compare_macro(const std::vector<std::vector<double>>& differences_by_stratum,
                              std::uint64_t seed, std::string_view name) {
  MacroComparison result;
  std::vector<double> weighted;
  std::size_t strata = 0;
  for (const auto& differences : differences_by_stratum) {
    if (differences.empty()) continue;
    ++strata;
    result.difference += mean(differences);
    for (const double d : differences)
      weighted.push_back(d / static_cast<double>(differences.size()));
  }
  if (strata == 0) return result;
  result.difference /= static_cast<double>(strata);
  RandomStream bootstrap(seed, "compare/bootstrap", name);
  RandomStream flips(seed, "compare/sign_flip", name);
  result.interval = bootstrap_macro_mean(differences_by_stratum, bootstrap);
  result.p = sign_flip_p(weighted, flips);
  return result;
}

}  // namespace tapir::stats
