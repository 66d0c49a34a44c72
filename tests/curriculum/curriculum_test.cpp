#include "curriculum/curriculum.h"

#include <cmath>
#include <numeric>

#include <gmock/gmock.h>

#include "base/error.h"
#include "curriculum/numbered.h"
#include "curriculum/spread.h"
#include "error_of.h"

namespace tapir::curriculum {
namespace {

using tapir::testing::numbered;

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Counts = std::map<std::string, std::int64_t>;
using Weights = std::map<std::string, double>;

std::int64_t sum(const Counts& counts) {
  std::int64_t total = 0;
  for (const auto& [key, count] : counts) total += count;
  return total;
}

// The published shares of the 33 task types.
Weights published_shares() {
  Weights shares = {{"Math", 1.0 / 6},
                    {"Reasoning", 1.0 / 6},
                    {"Code Generation", 1.0 / 12},
                    {"Code Debug", 1.0 / 12}};
  for (int i = 0; i < 29; ++i) shares[numbered("Other ", i)] = 0.5 / 29;
  return shares;
}

TEST(Schedule, AlphaRisesAndRowsSumUp) {
  const auto plan = schedule({.rounds = 3, .alpha = 0.3, .alpha_step = 0.2, .rows = 1000});
  ASSERT_EQ(plan.size(), 3U);
  EXPECT_DOUBLE_EQ(plan[0].alpha, 0.3);
  EXPECT_DOUBLE_EQ(plan[1].alpha, 0.5);
  EXPECT_DOUBLE_EQ(plan[2].alpha, 0.7);
  EXPECT_EQ(plan[0].rows, 334);
  EXPECT_EQ(plan[1].rows, 333);
  EXPECT_EQ(plan[2].rows, 333);
  EXPECT_EQ(plan[2].round, 3);
}

TEST(Schedule, AlphaStopsAtOne) {
  const auto plan = schedule({.rounds = 5, .alpha = 0.6, .alpha_step = 0.3, .rows = 5});
  EXPECT_DOUBLE_EQ(plan[1].alpha, 0.9);
  for (std::size_t i = 2; i < 5; ++i) EXPECT_EQ(plan[i].alpha, 1.0);
}

TEST(Schedule, RoundsThatForgotAreFollowedByMoreReplay) {
  EXPECT_DOUBLE_EQ(with_more_replay(0.7, 0, 0.2), 0.7);
  EXPECT_DOUBLE_EQ(with_more_replay(0.7, 2, 0.2), 0.7 - 0.4);
  EXPECT_EQ(with_more_replay(0.3, 2, 0.2), 0);
  EXPECT_THROW(with_more_replay(0.3, -1, 0.2), Error);
}

TEST(Schedule, RefusesWhatCannotBe) {
  for (const ScheduleOptions& options :
       {ScheduleOptions{.rounds = 0, .rows = 10}, ScheduleOptions{.alpha = 1.5, .rows = 10},
        ScheduleOptions{.alpha = -0.1, .rows = 10}, ScheduleOptions{.alpha = NAN, .rows = 10},
        ScheduleOptions{.alpha_step = -1, .rows = 10},
        ScheduleOptions{.alpha_step = NAN, .rows = 10}, ScheduleOptions{.rounds = 3, .rows = 2}}) {
    const Error error = testing::error_of([&] { schedule(options); });
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_THAT(error.what(), HasSubstr("found"));
  }
}

TEST(Apportion, LargestRemainderTiesByKey) {
  EXPECT_EQ(apportion(10, {{"a", 1}, {"b", 1}, {"c", 1}}), (Counts{{"a", 4}, {"b", 3}, {"c", 3}}));
  EXPECT_EQ(apportion(3, {{"a", 0.5}, {"b", 0.25}, {"c", 0.25}}),
            (Counts{{"a", 1}, {"b", 1}, {"c", 1}}));
  EXPECT_EQ(apportion(7, {{"a", 0}, {"b", 2}}), (Counts{{"a", 0}, {"b", 7}}));
  EXPECT_EQ(apportion(0, {{"a", 1}}), (Counts{{"a", 0}}));
  EXPECT_THROW(apportion(1, {}), Error);
  EXPECT_THROW(apportion(1, {{"a", 0}}), Error);
  EXPECT_THROW(apportion(-1, {{"a", 1}}), Error);
  EXPECT_THROW(apportion(1, {{"a", -1}, {"b", 3}}), Error);
}

TEST(Apportion, WholeQuotasAreMetInSpiteOfRounding) {
  const auto rows = apportion(348, published_shares());
  EXPECT_EQ(rows.at("Math"), 58);
  EXPECT_EQ(rows.at("Code Debug"), 29);
  for (int i = 0; i < 29; ++i) EXPECT_EQ(rows.at(numbered("Other ", i)), 6);
}

TEST(Apportion, SumHoldsAndNoShareIsOffByARow) {
  RandomStream stream(1, "apportion");
  for (int trial = 0; trial < 500; ++trial) {
    Weights weights;
    double total = 0;
    for (std::uint64_t i = 0; i <= stream.below(40); ++i) {
      total += weights[numbered("t", i)] = stream.chance(0.2) ? 0 : stream.uniform();
    }
    if (total == 0) continue;
    const auto rows = static_cast<std::int64_t>(stream.below(5000));
    const auto counts = apportion(rows, weights);
    ASSERT_EQ(sum(counts), rows);
    for (const auto& [key, count] : counts) {
      ASSERT_LT(
          std::fabs(static_cast<double>(count) - static_cast<double>(rows) * weights[key] / total),
          1 + 1e-6);
    }
  }
}

TEST(Spread, KeepsCapsAndSum) {
  EXPECT_EQ(spread(10, {{"a", 1}, {"b", 1}}, {{"a", 2}, {"b", 100}}), (Counts{{"a", 2}, {"b", 8}}));
  EXPECT_EQ(spread(10, {{"a", 1}, {"b", 1}}, {{"a", 2}, {"b", 3}}), (Counts{{"a", 2}, {"b", 3}}));
  EXPECT_EQ(spread(10, {{"a", 1}, {"b", 1}}, {{"a", 20}}), (Counts{{"a", 10}, {"b", 0}}));
  RandomStream stream(2, "spread");
  for (int trial = 0; trial < 300; ++trial) {
    Weights weights;
    Counts caps;
    for (int i = 0; i < 12; ++i) {
      weights[numbered("t", i)] = stream.uniform();
      caps[numbered("t", i)] = static_cast<std::int64_t>(stream.below(60));
    }
    const auto rows = static_cast<std::int64_t>(stream.below(600));
    const auto counts = spread(rows, weights, caps);
    ASSERT_EQ(sum(counts), std::min(rows, sum(caps)));
    for (const auto& [key, count] : counts) ASSERT_LE(count, caps[key]);
  }
}

TEST(Quotas, BothSharesHoldWhenEasyRowsSuffice) {
  QuotaInput input{.rows = 6000, .alpha = 0.3, .shares = published_shares()};
  for (const auto& [task, share] : input.shares) input.easy_available[task] = 6000;
  const Quotas result = quotas(input);
  std::int64_t easy = 0;
  const auto totals = apportion(input.rows, input.shares);
  for (const auto& [task, quota] : result.by_task) {
    EXPECT_EQ(quota.easy + quota.hard, totals.at(task));
    EXPECT_NEAR(static_cast<double>(quota.easy), 0.7 * static_cast<double>(totals.at(task)), 1.0)
        << task;
    easy += quota.easy;
  }
  EXPECT_EQ(easy, 4200);
  EXPECT_EQ(result.easy_short, 0);
  EXPECT_THAT(result.relaxed, IsEmpty());
}

TEST(Quotas, ATaskWithoutEasyRowsIsMadeUpByTheOthers) {
  const Quotas result = quotas({.rows = 100,
                                .alpha = 0.5,
                                .shares = {{"a", 0.5}, {"b", 0.5}},
                                .easy_available = {{"a", 10}, {"b", 1000}}});
  EXPECT_EQ(result.by_task.at("a").easy, 10);
  EXPECT_EQ(result.by_task.at("a").hard, 40);
  EXPECT_EQ(result.by_task.at("b").easy, 40);
  EXPECT_EQ(result.by_task.at("b").hard, 10);
  EXPECT_THAT(result.relaxed, IsEmpty());
}

TEST(Quotas, ShortEasyRowsAreSaidWithTheAmount) {
  const Quotas result = quotas({.rows = 100,
                                .alpha = 0.2,
                                .shares = {{"a", 0.5}, {"b", 0.5}},
                                .easy_available = {{"a", 500}, {"b", 5}, {"unknown task", 99}}});
  EXPECT_EQ(result.by_task.at("a").easy, 50);
  EXPECT_EQ(result.by_task.at("b").easy, 5);
  EXPECT_EQ(result.by_task.at("b").hard, 45);
  EXPECT_EQ(result.easy_short, 25);
  ASSERT_EQ(result.relaxed.size(), 1U);
  EXPECT_THAT(result.relaxed[0], HasSubstr("55.0 % instead of 80.0 %"));
  EXPECT_THAT(result.relaxed[0], HasSubstr("25 short"));
}

TEST(Quotas, InvariantsForAnyInput) {
  RandomStream stream(4, "quotas");
  for (int trial = 0; trial < 300; ++trial) {
    QuotaInput input;
    input.rows = static_cast<std::int64_t>(stream.below(3000));
    input.alpha = stream.chance(0.1) ? 1 : stream.uniform();
    for (int i = 0; i < 15; ++i) {
      const std::string task = numbered("t", i);
      input.shares[task] = 0.01 + stream.uniform();
      if (stream.chance(0.9))
        input.easy_available[task] = static_cast<std::int64_t>(stream.below(300));
    }
    const Quotas result = quotas(input);
    const auto totals = apportion(input.rows, input.shares);
    std::int64_t easy = 0;
    for (const auto& [task, quota] : result.by_task) {
      ASSERT_GE(quota.easy, 0);
      ASSERT_GE(quota.hard, 0);
      ASSERT_EQ(quota.easy + quota.hard, totals.at(task));
      ASSERT_LE(quota.easy, input.easy_available[task]);
      easy += quota.easy;
    }
    ASSERT_EQ(easy + result.easy_short,
              input.rows - std::llround(input.alpha * static_cast<double>(input.rows)));
    ASSERT_EQ(result.easy_short > 0, !result.relaxed.empty());
  }
}

TEST(Needed, HardQuotaMinusUnusedHardRows) {
  Quotas quotas;
  quotas.by_task = {{"a", {0, 3}}, {"b", {5, 1}}, {"c", {0, 2}}};
  const std::vector<Candidate> hard = {{"1", "a", 0}, {"2", "a", 1}, {"3", "b", 0}, {"4", "b", 0}};
  EXPECT_EQ(needed(quotas, hard), (Counts{{"a", 2}, {"c", 2}}));
}

}  // namespace
}  // namespace tapir::curriculum
