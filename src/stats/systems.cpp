#include "stats/systems.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/error.h"
#include "stats/intervals.h"
#include "stats/resampling.h"

namespace tapir::stats {
namespace {

// Items that tell the systems apart, as deviations from the item's mean: [item][system].
std::vector<std::vector<double>> deviations_of(const std::vector<std::vector<double>>& values) {
  std::vector<std::vector<double>> deviations;
  for (std::size_t item = 0; item < values.front().size(); ++item) {
    std::vector<double> of_item;
    for (const auto& system : values) of_item.push_back(system[item]);
    const auto [low, high] = std::minmax_element(of_item.begin(), of_item.end());
    if (*low == *high) continue;
    const double centre = mean(of_item);
    for (double& value : of_item) value -= centre;
    deviations.push_back(std::move(of_item));
  }
  return deviations;
}

double squares(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return sum;
}

double squared_sums(const std::vector<std::vector<double>>& items, std::vector<double>& sums) {
  std::fill(sums.begin(), sums.end(), 0.0);
  for (const auto& item : items) {
    for (std::size_t system = 0; system < sums.size(); ++system) sums[system] += item[system];
  }
  return squares(sums);
}

double permutation_p(std::vector<std::vector<double>> items, double observed, RandomStream& stream,
                     int permutations) {
  std::vector<double> sums(items.front().size());
  const double bound = observed * (1 - 1e-12);  // rounding makes no difference
  int hits = 0;
  for (int i = 0; i < permutations; ++i) {
    for (auto& item : items) stream.shuffle(item);
    if (squared_sums(items, sums) >= bound) ++hits;
  }
  return (hits + 1.0) / (permutations + 1.0);
}

double sign_flip_of_two(const std::vector<std::vector<double>>& items, RandomStream& stream,
                        int permutations) {
  std::vector<double> differences;
  for (const auto& item : items) differences.push_back(item[0] - item[1]);
  return sign_flip_p(differences, stream, {.flips = permutations});
}

}  // namespace

SystemsTest compare_systems(const std::vector<std::vector<double>>& values, RandomStream& stream,
                            const SystemsTestOptions& options) {
  check(values.size() >= 2, "compare_systems: two systems or more");
  for (const auto& system : values)
    check(system.size() == values.front().size(), "compare_systems: the same items");
  check(options.permutations > 0, "compare_systems: permutations are drawn");
  SystemsTest test;
  const std::vector<std::vector<double>> items = deviations_of(values);
  if (items.empty()) return test;
  const auto degrees = static_cast<double>(values.size() - 1);
  std::vector<double> sums(values.size());
  const double observed = squared_sums(items, sums);
  double all = 0;
  for (const auto& item : items) all += squares(item);
  test.sd = std::sqrt(observed / degrees);
  test.sd_by_chance = std::sqrt(all / degrees);
  test.q = degrees * observed / all;
  test.p = values.size() == 2 ? sign_flip_of_two(items, stream, options.permutations)
                              : permutation_p(items, observed, stream, options.permutations);
  return test;
}

}  // namespace tapir::stats
