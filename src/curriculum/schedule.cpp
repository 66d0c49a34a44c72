#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "curriculum/curriculum.h"
#include "curriculum/spread.h"

namespace tapir::curriculum {
namespace {

void require(bool holds, const std::string& message, const std::string& hint) {
  if (!holds) throw Error(ErrorKind::usage, "curriculum: " + message, hint);
}

}  // namespace

std::vector<RoundPlan> schedule(const ScheduleOptions& options) {
  require(options.rounds >= 1, "rounds must be at least 1, found " + std::to_string(options.rounds),
          "rounds: 1 with alpha: 1 is the single round of TAPIR-S");
  require(options.alpha >= 0 && options.alpha <= 1,
          "alpha must lie in [0, 1], found " + std::to_string(options.alpha),
          "alpha is the share of hard rows in round 1");
  require(options.alpha_step >= 0 && std::isfinite(options.alpha_step),
          "alpha_step must not be negative, found " + std::to_string(options.alpha_step),
          "alpha_step is added to alpha after every round");
  require(options.rows >= options.rounds,
          "rows must be at least one per round, found " + std::to_string(options.rows) + " for " +
              std::to_string(options.rounds) + " rounds",
          "rows is the total over all rounds");
  std::vector<RoundPlan> plan;
  for (int round = 1; round <= options.rounds; ++round) {
    const double alpha = std::min(1.0, options.alpha + (round - 1) * options.alpha_step);
    // What does not divide evenly goes to the first rounds.
    const std::int64_t extra = round <= options.rows % options.rounds ? 1 : 0;
    plan.push_back({round, alpha, options.rows / options.rounds + extra});
  }
  return plan;
}

double with_more_replay(double alpha, int times, double step) {
  check(times >= 0 && step >= 0, "with_more_replay: negative times or step");
  return std::max(0.0, alpha - times * step);
}

std::map<std::string, std::int64_t> apportion(std::int64_t sum,
                                              const std::map<std::string, double>& weights) {
  check(sum >= 0, "apportion: negative sum");
  double total = 0;
  for (const auto& [key, weight] : weights) {
    check(weight >= 0 && std::isfinite(weight),
          "apportion: weights must be finite and not negative");
    total += weight;
  }
  check(sum == 0 || total > 0, "apportion: rows to give but no weight");
  struct Remainder {
    double size;
    std::string key;
  };
  std::map<std::string, std::int64_t> result;
  std::vector<Remainder> remainders;
  std::int64_t given = 0;
  for (const auto& [key, weight] : weights) {
    const double exact = sum == 0 ? 0 : static_cast<double>(sum) * weight / total;
    // A quota of 2.9999999999 is a 3 that rounding touched; equal remainders must compare equal.
    const auto whole = static_cast<std::int64_t>(std::floor(exact + 1e-9));
    result[key] = whole;
    given += whole;
    if (weight > 0)
      remainders.push_back({std::round((exact - static_cast<double>(whole)) * 1e9), key});
  }
  std::stable_sort(remainders.begin(), remainders.end(),
                   [](const Remainder& a, const Remainder& b) { return a.size > b.size; });
  for (std::size_t i = 0; given < sum; ++i, ++given)
    ++result[remainders[i % remainders.size()].key];
  return result;
}

std::map<std::string, std::int64_t> spread(std::int64_t sum,
                                           const std::map<std::string, double>& weights,
                                           const std::map<std::string, std::int64_t>& caps) {
  std::map<std::string, std::int64_t> result;
  std::map<std::string, double> open;
  for (const auto& [key, weight] : weights) {
    const auto cap = caps.find(key);
    result[key] = 0;
    if (weight > 0 && cap != caps.end() && cap->second > 0) open[key] = weight;
  }
  while (sum > 0 && !open.empty()) {
    const auto offer = apportion(sum, open);
    bool saturated = false;
    for (const auto& [key, rows] : offer) {
      if (rows < caps.at(key)) continue;
      result[key] = caps.at(key);
      sum -= caps.at(key);
      open.erase(key);
      saturated = true;
    }
    if (saturated) continue;
    for (const auto& [key, rows] : offer) result[key] = rows;
    sum = 0;
  }
  return result;
}

}  // namespace tapir::curriculum
