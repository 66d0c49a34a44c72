#include "stats/estimates.h"

#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "base/error.h"
#include "stats/distributions.h"

namespace tapir::stats {
namespace {

struct Group {
  double sum = 0;
  double values = 0;
};

// In the order of the labels: nothing depends on the order of the values.
std::vector<Group> groups_of(std::span<const double> values, std::span<const std::int64_t> labels) {
  check(values.size() == labels.size(), "one label for each value");
  std::map<std::int64_t, Group> by_label;
  for (std::size_t i = 0; i < values.size(); ++i) {
    Group& group = by_label[labels[i]];
    group.sum += values[i];
    ++group.values;
  }
  std::vector<Group> groups;
  for (const auto& [label, group] : by_label) groups.push_back(group);
  return groups;
}

}  // namespace

Estimate estimate_mean(std::span<const double> values) {
  if (values.size() < 2) return {mean(values), 0, 0};
  const double n = static_cast<double>(values.size());
  return {mean(values), sample_sd(values) / std::sqrt(n), n - 1};
}

Estimate estimate_clustered_mean(std::span<const double> values,
                                 std::span<const std::int64_t> labels) {
  const std::vector<Group> groups = groups_of(values, labels);
  const double centre = mean(values);
  if (groups.size() < 2) return {centre, 0, 0};
  double squares = 0;
  for (const Group& group : groups) {
    const double residuals = group.sum - group.values * centre;
    squares += residuals * residuals;
  }
  const double count = static_cast<double>(groups.size());
  return {centre, std::sqrt(count / (count - 1) * squares) / static_cast<double>(values.size()),
          count - 1};
}

Interval interval_of(const Estimate& estimate, double confidence) {
  const double infinity = std::numeric_limits<double>::infinity();
  if (estimate.degrees <= 0) return {-infinity, infinity};
  const double half =
      student_t_quantile(0.5 + confidence / 2, estimate.degrees) * estimate.standard_error;
  return {estimate.mean - half, estimate.mean + half};
}

Interval bootstrap_clustered_mean(std::span<const double> values,
                                  std::span<const std::int64_t> labels, RandomStream& stream,
                                  const BootstrapOptions& options) {
  const std::vector<Group> groups = groups_of(values, labels);
  check(!groups.empty(), "bootstrap_clustered_mean: no values");
  return bootstrap_interval(
      [&] {
        Group drawn;
        for (std::size_t i = 0; i < groups.size(); ++i) {
          const Group& group = groups[stream.below(groups.size())];
          drawn.sum += group.sum;
          drawn.values += group.values;
        }
        return drawn.sum / drawn.values;
      },
      options);
}

}  // namespace tapir::stats
