#include <gtest/gtest.h>

#include "base/random.h"
#include "difficulty/difficulty.h"

namespace tapir::difficulty {
namespace {

Judgment judgment(Order order, int attempt, double teacher, double student) {
  Judgment one;
  one.instruction_id = "x";
  one.author = "student/s0";
  one.order = order;
  one.attempt = attempt;
  one.teacher_score = teacher;
  one.student_score = student;
  return one;
}
Judgment unread(Order order, int attempt) {
  Judgment one = judgment(order, attempt, 0, 0);
  one.teacher_score.reset();
  one.student_score.reset();
  one.failure = "unreadable";
  return one;
}
Fit fit_with_gap(double gap) {
  Fit fit;
  fit.teacher_score = 5 + gap;
  fit.student_score = 5;
  return fit;
}

TEST(FitOf, IsTheMeanOverReadableOrders) {
  const auto both = fit_of(
      {judgment(Order::teacher_first, 0, 9, 4), judgment(Order::student_first, 0, 8, 6)}, true);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->teacher_score, 8.5);
  EXPECT_EQ(both->student_score, 5);
  EXPECT_EQ(both->gap(), 3.5);
  EXPECT_EQ(both->orders, 2);
  EXPECT_TRUE(both->truncated);
  const auto one =
      fit_of({unread(Order::teacher_first, 0), judgment(Order::teacher_first, 1, 9, 4)}, false);
  ASSERT_TRUE(one);
  EXPECT_EQ(one->gap(), 5);
  EXPECT_EQ(one->orders, 1);
  EXPECT_EQ(one->instruction_id, "x");
  EXPECT_FALSE(fit_of({unread(Order::teacher_first, 0)}, false));
  EXPECT_FALSE(fit_of({}, false));
}

TEST(FitOf, DoesNotDependOnTheOrderOfJudgments) {
  const std::vector<Judgment> forward = {judgment(Order::teacher_first, 1, 9, 4),
                                         judgment(Order::teacher_first, 0, 7, 4),
                                         judgment(Order::student_first, 0, 6, 4)};
  const std::vector<Judgment> backward(forward.rbegin(), forward.rend());
  EXPECT_EQ(fit_of(forward, false), fit_of(backward, false));
  EXPECT_EQ(fit_of(forward, false)->teacher_score, 6.5);
}

TEST(IsHard, KeepsGapsAboveTheThreshold) {
  EXPECT_FALSE(is_hard(fit_with_gap(2), {}));
  EXPECT_TRUE(is_hard(fit_with_gap(2.5), {}));
  SelectOptions at_least;
  at_least.strict = false;
  EXPECT_TRUE(is_hard(fit_with_gap(2), at_least));
  EXPECT_FALSE(is_hard(fit_with_gap(1.5), at_least));
  SelectOptions ceiling;
  ceiling.max_gap = 6;
  EXPECT_TRUE(is_hard(fit_with_gap(6), ceiling));
  EXPECT_FALSE(is_hard(fit_with_gap(6.5), ceiling));
}

TEST(Tables, AgreeWithSelectionAtEveryThreshold) {
  RandomStream stream(5, "tables");
  std::vector<Fit> fits;
  for (int i = 0; i < 500; ++i) fits.push_back(fit_with_gap(stream.between(-8, 8) / 2.0));
  const auto table = threshold_table(fits);
  ASSERT_EQ(table.size(), 37U);
  EXPECT_EQ(table.front().threshold, -9);
  EXPECT_EQ(table.back().threshold, 9);
  for (const ThresholdRow& row : table) {
    std::int64_t above = 0;
    std::int64_t at_least = 0;
    for (const Fit& fit : fits) {
      above += is_hard(fit, {row.threshold, true, {}}) ? 1 : 0;
      at_least += is_hard(fit, {row.threshold, false, {}}) ? 1 : 0;
    }
    EXPECT_EQ(row.kept_above, above);
    EXPECT_EQ(row.kept_at_least, at_least);
  }
}

TEST(Histogram, CountsEveryGapOnce) {
  const std::vector<Fit> fits = {fit_with_gap(-0.5), fit_with_gap(0), fit_with_gap(0.4),
                                 fit_with_gap(2)};
  const auto bins = gap_histogram(fits);
  ASSERT_EQ(bins.size(), 6U);
  EXPECT_EQ(bins[0].low, -0.5);
  EXPECT_EQ(bins[0].count, 1);
  EXPECT_EQ(bins[1].low, 0);
  EXPECT_EQ(bins[1].count, 2);
  EXPECT_EQ(bins[2].count, 0);
  EXPECT_EQ(bins[5].low, 2);
  EXPECT_EQ(bins[5].count, 1);
  EXPECT_TRUE(gap_histogram({}).empty());
}

}  // namespace
}  // namespace tapir::difficulty
