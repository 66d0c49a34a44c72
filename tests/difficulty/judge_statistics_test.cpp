#include "difficulty/judge_statistics.h"

#include <gmock/gmock.h>

namespace tapir::difficulty {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Judgment reading(int row, Order order, double teacher, double student, int attempt = 0) {
  Judgment judgment;
  judgment.instruction_id = std::string("row-").append(std::to_string(row));
  judgment.author = "student/s0";
  judgment.order = order;
  judgment.attempt = attempt;
  judgment.teacher_score = teacher;
  judgment.student_score = student;
  judgment.text = "Score A: 1\nScore B: 1";
  return judgment;
}

Judgment failed(int row, const std::string& failure, int attempt = 0) {
  Judgment judgment = reading(row, Order::teacher_first, 0, 0, attempt);
  judgment.teacher_score.reset();
  judgment.student_score.reset();
  judgment.failure = failure;
  return judgment;
}

// Both orders of `rows` pairs; the scores are a function of row and order.
template <typename Scores>
std::vector<Judgment> judgments_of(int rows, Scores scores) {
  std::vector<Judgment> out;
  for (int row = 0; row < rows; ++row) {
    for (const Order order : {Order::teacher_first, Order::student_first}) {
      const auto [teacher, student] = scores(row, order);
      out.push_back(reading(row, order, teacher, student));
    }
  }
  return out;
}

TEST(JudgeStatistics, CountTheRungsOfTheLadder) {
  std::vector<Judgment> judgments = {failed(0, "unreadable"), failed(0, "out_of_range", 1),
                                     reading(0, Order::teacher_first, 8, 3, 2),
                                     reading(1, Order::teacher_first, 9, 9), failed(2, "length")};
  judgments[3].text = "**Score A:** 9/10\n**Score B:** 9/10";
  const JudgeStatistics s = judge_statistics(judgments, {});
  EXPECT_EQ(s.replies, 4);
  EXPECT_EQ(s.strict, 1);
  EXPECT_EQ(s.tolerant, 1);
  EXPECT_EQ(s.unreadable, 1);
  EXPECT_EQ(s.out_of_range, 1);
  EXPECT_EQ(s.asked_again, 2);
  EXPECT_EQ(s.refused, 1);
  EXPECT_DOUBLE_EQ(s.parse_rate(), 0.5);
  EXPECT_EQ(s.readings, 2);
  EXPECT_EQ(s.ties, 1);
  EXPECT_EQ(s.student_scores.at(3), 1);
  EXPECT_DOUBLE_EQ(judge_statistics({}, {}).parse_rate(), 1);
}

TEST(JudgeStatistics, ComparePlaceWithPlace) {
  // Two pairs that agree, one decided by the place, one half.
  std::vector<Judgment> judgments = {
      reading(0, Order::teacher_first, 9, 3), reading(0, Order::student_first, 8, 4),
      reading(1, Order::teacher_first, 5, 5), reading(1, Order::student_first, 6, 6),
      reading(2, Order::teacher_first, 8, 6), reading(2, Order::student_first, 6, 8),
      reading(3, Order::teacher_first, 8, 6), reading(3, Order::student_first, 7, 7),
      reading(4, Order::teacher_first, 7, 7)};
  const JudgeStatistics s = judge_statistics(judgments, {2});
  EXPECT_EQ(s.both_orders, 4);
  EXPECT_EQ(s.same_winner, 2);
  EXPECT_EQ(s.first_wins, 1);
  EXPECT_EQ(s.second_wins, 0);
  EXPECT_EQ(s.decisions_flip, 0) << "gaps of 6 and 4 are above 2, the others are not";
  EXPECT_DOUBLE_EQ(s.position_bias, (1.0 + 0 + 2 + 1) / 4);
  EXPECT_DOUBLE_EQ(s.position_consistency(), 0.5);
  EXPECT_EQ(judge_statistics(judgments, {4}).decisions_flip, 1);
}

TEST(JudgeWarnings, SayWhenAJudgeAlwaysAnswersTen) {
  const auto tens = judgments_of(20, [](int, Order) { return std::pair{10, 10}; });
  EXPECT_THAT(judge_warnings(judge_statistics(tens, {})),
              ElementsAre(HasSubstr("gives 10 nearly always: 80 of 80 scores (100.0 %)")));
  // One row of 30 is another: still no judge.
  const auto nearly = judgments_of(30, [](int row, Order) { return std::pair{10, row ? 10 : 1}; });
  EXPECT_THAT(judge_warnings(judge_statistics(nearly, {})),
              ElementsAre(HasSubstr("gives 10 nearly always: 118 of 120")));
}

TEST(JudgeWarnings, SayWhenOneScoreOrPlaceDecides) {
  const auto ties = judgments_of(20, [](int row, Order) {
    const int score = 3 + row % 7;
    return std::pair{score, score};
  });
  EXPECT_THAT(judge_warnings(judge_statistics(ties, {})),
              ElementsAre(HasSubstr("the same score in 40 of 40 readings")));
  const auto first = judgments_of(20, [](int row, Order order) {
    const int score = 4 + row % 5;
    return order == Order::teacher_first ? std::pair{score + 1, score}
                                         : std::pair{score, score + 1};
  });
  EXPECT_THAT(judge_warnings(judge_statistics(first, {})),
              ElementsAre(HasSubstr("shown first in 20 of 20 pairs (100.0 %)")));
  std::vector<Judgment> unread;
  for (int row = 0; row < 30; ++row) unread.push_back(failed(row, "unreadable"));
  EXPECT_THAT(judge_warnings(judge_statistics(unread, {})),
              ElementsAre(HasSubstr("0.0 % of its 30 replies")));
}

TEST(JudgeWarnings, AreSilentAboutAJudgeThatJudges) {
  const auto good = judgments_of(40, [](int row, Order order) {
    return std::pair{6 + row % 5, 1 + row % 8 + (order == Order::teacher_first ? 1 : 0)};
  });
  EXPECT_THAT(judge_warnings(judge_statistics(good, {})), IsEmpty());
  const auto few = judgments_of(5, [](int, Order) { return std::pair{10, 10}; });
  EXPECT_THAT(judge_warnings(judge_statistics(few, {})), IsEmpty());
}

Fit fit(int row, double gap) {
  Fit fit;
  fit.instruction_id = std::string("row-").append(std::to_string(row));
  fit.teacher_score = 9;
  fit.student_score = 9 - gap;
  fit.orders = 1;
  return fit;
}

TEST(Agreement, IsOnWhoIsKept) {
  std::vector<Fit> judge;
  std::vector<Fit> auditor;
  for (int row = 0; row < 100; ++row) judge.push_back(fit(row, row < 40 ? 5 : 0));
  for (int row = 0; row < 50; ++row) auditor.push_back(fit(row, row < 30 || row == 49 ? 4 : 1));
  auditor.push_back(fit(1000, 5));  // not judged by the first
  const Agreement a = agreement_of(judge, auditor, {2});
  EXPECT_EQ(a.rows, 50);
  EXPECT_EQ(a.both, 30);
  EXPECT_EQ(a.judge_only, 10);
  EXPECT_EQ(a.auditor_only, 1);
  EXPECT_EQ(a.neither, 9);
  EXPECT_DOUBLE_EQ(a.share(), 0.78);
  EXPECT_LT(a.interval.low, 0.78);
  EXPECT_GT(a.interval.low, 0.6);
  EXPECT_GT(a.interval.high, 0.85);
  const double chance = 0.8 * 0.62 + 0.2 * 0.38;
  EXPECT_NEAR(a.kappa(), (0.78 - chance) / (1 - chance), 1e-12);
  EXPECT_NEAR(a.mean_gap_difference, (30 * 1 + 10 * 4 + 9 * -1 - 4) / 50.0, 1e-12);
  EXPECT_EQ(agreement_of({}, auditor, {2}).rows, 0);
  EXPECT_EQ(agreement_of({}, {}, {2}).kappa(), 0);
}

}  // namespace
}  // namespace tapir::difficulty
