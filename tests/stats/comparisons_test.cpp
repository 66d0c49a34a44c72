// Against values of scipy and statsmodels (tests/goldens/stats/make_comparison_goldens.py), and
// properties.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "stats/estimates.h"
#include "stats/hypotheses.h"
#include "stats/resampling.h"

namespace tapir::stats {
namespace {

constexpr double kAgree = 1e-8;

const Json& goldens() {
  static const Json parsed = [] {
    const std::string path =
        std::string(TAPIR_SOURCE_DIR) + "/tests/goldens/stats/comparisons.json";
    return parse_json(read_file(path), path);
  }();
  return parsed;
}

std::vector<double> values_of(const Json& row) { return row["values"].get<std::vector<double>>(); }

TEST(Holm, AsStatsmodels) {
  for (const Json& row : goldens()["holm"]) {
    const auto adjusted = holm(row[0].get<std::vector<double>>());
    ASSERT_EQ(adjusted.size(), row[1].size());
    for (std::size_t i = 0; i < adjusted.size(); ++i)
      EXPECT_NEAR(adjusted[i], row[1][i].get<double>(), kAgree) << row;
  }
  EXPECT_TRUE(holm({}).empty());
  EXPECT_THROW(holm(std::vector<double>{0.1, 1.5}), Error);
  EXPECT_THROW(holm(std::vector<double>{std::nan("")}), Error);
}

TEST(ClusteredMean, AsStatsmodels) {
  for (const Json& row : goldens()["clustered"]) {
    const Estimate estimate =
        estimate_clustered_mean(values_of(row), row["labels"].get<std::vector<std::int64_t>>());
    EXPECT_NEAR(estimate.mean, row["mean"].get<double>(), kAgree);
    EXPECT_NEAR(estimate.standard_error, row["standard_error"].get<double>(), kAgree);
    const Interval interval = interval_of(estimate);
    EXPECT_NEAR(interval.low, row["low"].get<double>(), kAgree);
    EXPECT_NEAR(interval.high, row["high"].get<double>(), kAgree);
  }
}

TEST(ClusteredMean, OfGroupsOfOneIsThePlainMean) {
  const std::vector<double> values = {1, 4, 2, 8, 5};
  const Estimate plain = estimate_mean(values);
  const Estimate grouped =
      estimate_clustered_mean(values, std::vector<std::int64_t>{7, 1, 9, 2, 3});
  EXPECT_DOUBLE_EQ(plain.mean, grouped.mean);
  EXPECT_DOUBLE_EQ(plain.standard_error, grouped.standard_error);
  EXPECT_EQ(plain.degrees, grouped.degrees);
}

TEST(ClusteredMean, OneGroupSaysNothingOfTheError) {
  const Estimate one =
      estimate_clustered_mean(std::vector<double>{3, 5}, std::vector<std::int64_t>{1, 1});
  EXPECT_EQ(one.mean, 4);
  EXPECT_EQ(interval_of(one).high, std::numeric_limits<double>::infinity());
  EXPECT_EQ(interval_of(estimate_mean({})).low, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(equivalence(one, -100, 100).p(), 1);
  EXPECT_THROW(estimate_clustered_mean(std::vector<double>{3, 5}, std::vector<std::int64_t>{1}),
               Error);
}

TEST(ClusteredBootstrap, OfGroupsOfOneIsThePlainBootstrap) {
  const std::vector<double> values = {1, 4, 2, 8, 5};
  RandomStream a(1, "bootstrap");
  RandomStream b(1, "bootstrap");
  const Interval plain = bootstrap_mean(values, a);
  const Interval grouped =
      bootstrap_clustered_mean(values, std::vector<std::int64_t>{1, 2, 3, 4, 5}, b);
  EXPECT_EQ(plain.low, grouped.low);
  EXPECT_EQ(plain.high, grouped.high);
}

// Every value stands four times: what is known does not become more.
TEST(ClusteredBootstrap, CopiesOfAValueAddNothing) {
  const std::vector<double> values = {1, 4, 2, 8, 5};
  std::vector<double> copies;
  std::vector<std::int64_t> labels;
  for (std::size_t i = 0; i < 20; ++i) {
    copies.push_back(values[i % 5]);
    labels.push_back(static_cast<std::int64_t>(i % 5));
  }
  RandomStream a(1, "bootstrap");
  RandomStream b(1, "bootstrap");
  const Interval once = bootstrap_mean(values, a);
  const Interval often = bootstrap_clustered_mean(copies, labels, b);
  EXPECT_NEAR(once.low, often.low, 1e-12);
  EXPECT_NEAR(once.high, often.high, 1e-12);
  EXPECT_THROW(bootstrap_clustered_mean({}, {}, a), Error);
}

TEST(Equivalence, AsStatsmodels) {
  for (const Json& row : goldens()["equivalence"]) {
    const Equivalence test = equivalence(estimate_mean(values_of(row)), row["low"].get<double>(),
                                         row["high"].get<double>());
    EXPECT_NEAR(test.p_low, row["p_low"].get<double>(), kAgree) << row;
    EXPECT_NEAR(test.p_high, row["p_high"].get<double>(), kAgree) << row;
    EXPECT_EQ(test.p(), std::max(test.p_low, test.p_high));
  }
}

TEST(Equivalence, WithoutAnyErrorTheDifferenceDecides) {
  const Estimate exact = estimate_mean(std::vector<double>{0.5, 0.5, 0.5});
  EXPECT_EQ(equivalence(exact, 0, 1).p(), 0);
  EXPECT_EQ(equivalence(exact, 0.5, 1).p(), 1);  // the bound is not inside
  EXPECT_EQ(equivalence(exact, -1, 0).p(), 1);
  EXPECT_THROW(equivalence(exact, 1, 1), Error);
}

TEST(SampleSize, AsStatsmodels) {
  for (const Json& row : goldens()["sample_size"]) {
    const PowerOptions options{row["alpha"].get<double>(), row["power"].get<double>()};
    EXPECT_NEAR(smallest_difference(1, options), row["effect"].get<double>(), kAgree) << row;
    EXPECT_NEAR(smallest_difference(0.25, options), 0.25 * row["effect"].get<double>(), kAgree);
    for (const Json& items : row["items"])
      EXPECT_EQ(items_needed(items[0], items[1], options), items[2].get<std::int64_t>()) << row;
  }
}

// 40 items of right or wrong cannot show 2 points; it takes some 4900.
TEST(SampleSize, FewItemsCannotShowTwoPoints) {
  EXPECT_GT(smallest_difference(0.5 / std::sqrt(40.0)), 0.2);
  EXPECT_GT(items_needed(0.5, 0.02), 4800);
  EXPECT_EQ(items_needed(0, 0.02), 1);
  EXPECT_THROW(items_needed(1, 0), Error);
  EXPECT_THROW(smallest_difference(1, {.alpha = 0.9, .power = 0.8}), Error);
}

TEST(SignFlip, OfMultiplesOfOneUnitIsExactForAnyNumberOfThem) {
  for (const Json& row : goldens()["sign_flip"]) {
    const auto values = values_of(row);
    RandomStream stream(1, "sign_flip");
    const auto before = stream.state();
    // exact_up_to 0: the short ones too are counted by their sums.
    const double p = sign_flip_p(values, stream, {.exact_up_to = 0});
    const double expected = row["p"];
    EXPECT_NEAR(p, expected, kAgree * expected) << values.size();
    EXPECT_EQ(stream.state(), before) << "the exact test draws nothing";
  }
}

TEST(SignFlip, WhatHasNoCommonUnitIsDrawn) {
  RandomStream draw(9, "values");
  std::vector<double> values(60);
  for (double& value : values) value = 0.2 + draw.normal();
  RandomStream stream(2, "sign_flip");
  const auto before = stream.state();
  sign_flip_p(values, stream);
  EXPECT_NE(stream.state(), before);
}

TEST(SignFlip, CountedAndDrawnAgree) {
  RandomStream draw(3, "values");
  std::vector<double> values(80);
  for (double& value : values) value = 0.25 * draw.between(-8, 9);
  RandomStream stream(2, "sign_flip");
  const double counted = sign_flip_p(values, stream);
  const double drawn = sign_flip_p(values, stream, {.exact_steps = 0, .flips = 40000});
  EXPECT_NE(counted, drawn);
  EXPECT_NEAR(drawn, counted, 4 * std::sqrt(counted * (1 - counted) / 40000) + 1.0 / 40000);
}

}  // namespace
}  // namespace tapir::stats
