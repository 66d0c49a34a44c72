#include "stats/resampling.h"

#include <algorithm>
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

double resampled_mean(std::span<const double> values, RandomStream& stream) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += values[stream.below(values.size())];
  return sum / static_cast<double>(values.size());
}

}  // namespace

Interval bootstrap_interval(const std::function<double()>& resampled,
                            const BootstrapOptions& options) {
  check(options.resamples > 0, "bootstrap_interval: no resamples");
  std::vector<double> drawn(static_cast<std::size_t>(options.resamples));
  for (double& value : drawn) value = resampled();
  std::sort(drawn.begin(), drawn.end());
  return {quantile(drawn, (1 - options.confidence) / 2),
          quantile(drawn, (1 + options.confidence) / 2)};
}

Interval bootstrap_mean(std::span<const double> values, RandomStream& stream,
                        const BootstrapOptions& options) {
  check(!values.empty(), "bootstrap_mean: no values");
  return bootstrap_interval([&] { return resampled_mean(values, stream); }, options);
}

Interval bootstrap_macro_mean(const std::vector<std::vector<double>>& strata, RandomStream& stream,
                              const BootstrapOptions& options) {
  std::vector<std::span<const double>> filled;
  for (const auto& stratum : strata) {
    if (!stratum.empty()) filled.emplace_back(stratum);
  }
  check(!filled.empty(), "bootstrap_macro_mean: no values");
  return bootstrap_interval(
      [&] {
        double sum = 0;
        for (const auto& stratum : filled) sum += resampled_mean(stratum, stream);
        return sum / static_cast<double>(filled.size());
      },
      options);
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
