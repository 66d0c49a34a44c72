// Against values of statsmodels and scipy (tests/goldens/stats/make_comparison_goldens.py), and
// properties.
#include "stats/systems.h"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "stats/intervals.h"
#include "stats/resampling.h"

namespace tapir::stats {
namespace {

using Values = std::vector<std::vector<double>>;

SystemsTest test_of(const Values& values) {
  RandomStream stream(1, "systems");
  return compare_systems(values, stream);
}

TEST(Systems, StatisticAsCochranAndFriedman) {
  const std::string path = std::string(TAPIR_SOURCE_DIR) + "/tests/goldens/stats/comparisons.json";
  const Json golden = parse_json(read_file(path), path);
  for (const Json& row : golden["systems"]) {
    const SystemsTest test = test_of(row["values"].get<Values>());
    EXPECT_NEAR(test.q, row["q"].get<double>(), 1e-8);
    // Theirs is the limit of many items, far from exact of few; of three systems all
    // permutations are counted.
    if (row.contains("exact")) {
      EXPECT_NEAR(test.p, row["exact"].get<double>(), 0.01);
    } else if (row["values"].size() > 2) {
      EXPECT_NEAR(test.p, row["p"].get<double>(), 0.02);
    }
  }
}

TEST(Systems, OfTwoAreTheSignFlipTest) {
  const Values values = {{1, 0, 1, 1, 0, 1, 1, 1}, {0, 0, 1, 0, 0, 1, 0, 0}};
  std::vector<double> differences;
  for (std::size_t i = 0; i < values[0].size(); ++i)
    differences.push_back(values[0][i] - values[1][i]);
  RandomStream stream(1, "flips");
  EXPECT_DOUBLE_EQ(test_of(values).p, sign_flip_p(differences, stream));
  EXPECT_DOUBLE_EQ(test_of(values).p, 0.125);  // four differences, all one way
}

TEST(Systems, NothingTellsEqualOnesApart) {
  const SystemsTest same = test_of({{1, 0, 0.25}, {1, 0, 0.25}, {1, 0, 0.25}});
  EXPECT_EQ(same.p, 1);
  EXPECT_EQ(same.sd, 0);
  EXPECT_EQ(same.sd_by_chance, 0);
  EXPECT_EQ(test_of({{}, {}}).p, 1);
}

TEST(Systems, SpreadIsTheSumsAndChanceIsTheMeanOverPermutations) {
  RandomStream draws(7, "values");
  Values values(4, std::vector<double>(60));
  for (auto& system : values) {
    for (double& value : system) value = draws.normal();
  }
  const SystemsTest test = test_of(values);
  std::vector<double> sums;
  for (const auto& system : values) sums.push_back(60 * mean(system));
  EXPECT_NEAR(test.sd, sample_sd(sums), 1e-9);
  double squares = 0;
  constexpr int kTimes = 2000;
  for (int time = 0; time < kTimes; ++time) {
    for (std::size_t item = 0; item < 60; ++item) {
      std::vector<double> of_item;
      for (const auto& system : values) of_item.push_back(system[item]);
      draws.shuffle(of_item);
      for (std::size_t system = 0; system < 4; ++system) values[system][item] = of_item[system];
    }
    RandomStream stream(1, "systems");
    const double sd = compare_systems(values, stream, {.permutations = 1}).sd;
    squares += sd * sd;
  }
  EXPECT_NEAR(std::sqrt(squares / kTimes) / test.sd_by_chance, 1, 0.03);
}

// Where systems do not differ, p below 0.05 comes up about as often as it says.
TEST(Systems, FalseAlarmsAreAsRareAsTheySay) {
  RandomStream draws(11, "alarms");
  int alarms = 0;
  constexpr int kTimes = 300;
  for (int time = 0; time < kTimes; ++time) {
    Values values(3, std::vector<double>(40));
    for (std::size_t item = 0; item < 40; ++item) {
      const double easy = draws.uniform();
      for (auto& system : values) system[item] = draws.chance(easy) ? 1 : 0;
    }
    RandomStream stream(time, "systems");
    if (compare_systems(values, stream, {.permutations = 199}).p <= 0.05) ++alarms;
  }
  EXPECT_LE(alarms, 0.09 * kTimes);
  EXPECT_GE(alarms, 0.01 * kTimes);
}

TEST(Systems, OneBetterThanTheOthersIsSeen) {
  Values values(3, std::vector<double>(50, 0.0));
  for (std::size_t item = 0; item < 20; ++item) values[1][item] = 1;
  const SystemsTest test = test_of(values);
  EXPECT_LT(test.p, 0.001);
  EXPECT_GT(test.sd, 3 * test.sd_by_chance);
}

TEST(Systems, NeedTheSameItems) {
  EXPECT_THROW(test_of({{1, 0}}), Error);
  EXPECT_THROW(test_of({{1, 0}, {1}}), Error);
}

}  // namespace
}  // namespace tapir::stats
