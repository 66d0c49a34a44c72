#include "evaluate/mt_bench.h"

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "error_of.h"
#include "evaluate/mt_bench_rows.h"
#include "stats/estimates.h"
#include "test_data.h"

namespace tapir::evaluate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

MtJudgment judgment(const std::string& model, std::int64_t question, int turn,
                    std::optional<double> score) {
  MtJudgment j;
  j.model = model;
  j.judge = "judge";
  j.question = question;
  j.turn = turn;
  j.score = score;
  j.where = "f.jsonl:" + std::to_string(10 * question + turn);
  return j;
}

const MtCategories kTwo = {{1, "writing"}, {2, "math"}};

TEST(MtBench, OfficialSetIsEightCategoriesOfTen) {
  std::map<std::string, int> counts;
  for (const auto& [id, category] : official_mt_categories()) ++counts[category];
  EXPECT_EQ(official_mt_categories().begin()->first, 81);
  EXPECT_EQ(official_mt_categories().rbegin()->first, 160);
  EXPECT_EQ(counts.size(), 8U);
  for (const auto& [category, count] : counts) EXPECT_EQ(count, 10) << category;
  int wrong = 0;
  for (const auto& [id, category] : official_mt_categories()) {
    if (!has_wrong_mt_reference(id)) continue;
    EXPECT_TRUE(needs_mt_reference(category)) << id;
    ++wrong;
  }
  EXPECT_EQ(wrong, 13);
}

TEST(MtBench, TemperaturesByCategory) {
  EXPECT_EQ(mt_temperature("writing"), 0.7);
  EXPECT_EQ(mt_temperature("roleplay"), 0.7);
  EXPECT_EQ(mt_temperature("stem"), 0.1);
  EXPECT_EQ(mt_temperature("humanities"), 0.1);
  for (const char* category : {"math", "reasoning", "coding", "extraction", "own"})
    EXPECT_EQ(mt_temperature(category), 0) << category;
}

TEST(MtBench, FailedJudgmentsAreInNoMeanAndCounted) {
  const std::vector<MtJudgment> judgments = {judgment("a", 1, 1, 8), judgment("a", 1, 2, 4),
                                             judgment("a", 2, 1, 9),
                                             judgment("a", 2, 2, std::nullopt)};
  const auto scores = score_mt_bench(judgments, kTwo);
  ASSERT_EQ(scores.size(), 1U);
  const MtScore& s = scores.front();
  EXPECT_EQ(s.turn1, 8.5);
  EXPECT_EQ(s.turn2, 4);
  EXPECT_EQ(s.average, 7);
  EXPECT_EQ(s.by_category.at("writing"), 6);
  EXPECT_EQ(s.by_category.at("math"), 9);
  EXPECT_EQ(s.judgments, 4);
  EXPECT_EQ(s.failed, 1);
  EXPECT_EQ(s.missing, 0);
  const auto interval = interval_of(stats::estimate_clustered_mean(
      std::vector<double>{8, 4, 9}, std::vector<std::int64_t>{1, 1, 2}));
  EXPECT_DOUBLE_EQ(s.interval.low, interval.low);
  EXPECT_EQ(s.average_without_wrong_references, std::nullopt);
}

TEST(MtBench, NothingButFailuresIsNoMean) {
  const auto scores = score_mt_bench(std::vector{judgment("a", 1, 1, std::nullopt)}, kTwo);
  EXPECT_EQ(scores.front().average, std::nullopt);
  EXPECT_EQ(scores.front().by_category.at("writing"), std::nullopt);
  EXPECT_EQ(scores.front().failed, 1);
  EXPECT_EQ(scores.front().missing, 3);
}

TEST(MtBench, ModelsAndJudgesStandApart) {
  std::vector<MtJudgment> judgments = {judgment("a", 1, 1, 8), judgment("b", 1, 1, 3),
                                       judgment("a", 1, 1, 5)};
  judgments[2].judge = "other";
  const auto scores = score_mt_bench(judgments, kTwo);
  ASSERT_EQ(scores.size(), 3U);
  EXPECT_EQ(scores[0].average, 8);
  EXPECT_EQ(scores[1].judge, "other");
  EXPECT_EQ(scores[1].average, 5);
  EXPECT_EQ(scores[2].model, "b");
}

TEST(MtBench, RepeatedJudgingHasAnIntervalOfTheJudgesChance) {
  std::vector<MtJudgment> judgments;
  for (int repeat = 0; repeat < 3; ++repeat) {
    for (const int question : {1, 2}) {
      judgments.push_back(judgment("a", question, 1, 6 + repeat));
      judgments.back().repeat = repeat;
    }
  }
  const MtScore s = score_mt_bench(judgments, kTwo).front();
  EXPECT_THAT(s.repeats, ::testing::ElementsAre(6, 7, 8));
  EXPECT_EQ(s.average, 7);
  const auto interval = stats::student_t_interval(std::vector<double>{6, 7, 8});
  EXPECT_DOUBLE_EQ(s.repeat_interval.low, interval.low);
  EXPECT_EQ(s.missing, 6);  // the second turns of two questions, three times
}

TEST(MtBench, WrongReferencesAreFlaggedWhereTheyWereUsed) {
  std::vector<MtJudgment> judgments = {judgment("a", 104, 1, 2), judgment("a", 101, 1, 8),
                                       judgment("a", 81, 1, 10)};
  judgments[0].wrong_reference = true;
  const auto wrong = score_mt_bench(judgments, official_mt_categories()).front();
  EXPECT_EQ(wrong.average, 20.0 / 3);
  EXPECT_EQ(wrong.average_without_wrong_references, 9);
  judgments[0].wrong_reference = false;
  EXPECT_EQ(
      score_mt_bench(judgments, official_mt_categories()).front().average_without_wrong_references,
      std::nullopt);
}

TEST(MtBench, WrongReferencesAreKnownByTheirText) {
  TAPIR_NEEDS_TEST_DATA("mt_bench");
  std::set<std::int64_t> wrong;
  for_each_jsonl(testing::test_data() / "mt_bench" / "reference_answer_gpt-4.jsonl",
                 [&](const Json& row, const std::string& where) {
                   MtAnswer reference = read_mt_answer(row, where);
                   if (is_wrong_mt_reference(reference.question, reference.turns))
                     wrong.insert(reference.question);
                   reference.turns[1] += " corrected";
                   EXPECT_FALSE(is_wrong_mt_reference(reference.question, reference.turns));
                 });
  EXPECT_THAT(wrong, ::testing::ElementsAre(104, 105, 109, 111, 113, 114, 120, 122, 124, 125, 126,
                                            128, 130));
}

TEST(MtBenchDuplicates, AreNamedUnlessDecided) {
  const std::vector<MtJudgment> judgments = {judgment("a", 1, 1, 8), judgment("a", 1, 2, 5),
                                             judgment("a", 1, 1, 4)};
  const std::string complaint = testing::complaint_of(
      ErrorKind::data, [&] { return settle_duplicates(judgments, Duplicates::error); });
  EXPECT_THAT(complaint, HasSubstr("a by judge, question 1, turn 1: f.jsonl:11 and f.jsonl:11"));
  EXPECT_THAT(complaint, HasSubstr("--duplicates"));
  const auto average_by = [&](Duplicates policy) {
    return *score_mt_bench(settle_duplicates(judgments, policy), kTwo).front().average;
  };
  EXPECT_EQ(average_by(Duplicates::first), 6.5);
  EXPECT_EQ(average_by(Duplicates::last), 4.5);
  EXPECT_DOUBLE_EQ(average_by(Duplicates::average), 17.0 / 3);
  EXPECT_EQ(parse_duplicates("last"), Duplicates::last);
  EXPECT_THROW(parse_duplicates("mean"), Error);
}

TEST(MtBenchDuplicates, RepeatsAndOtherJudgesAreNone) {
  std::vector<MtJudgment> judgments(3, judgment("a", 1, 1, 8));
  judgments[1].repeat = 1;
  judgments[2].judge = "other";
  EXPECT_EQ(settle_duplicates(judgments, Duplicates::error).size(), 3U);
}

TEST(MtBenchCompare, PairsTurnsAndAdjustsForTheNumberOfModels) {
  std::vector<MtJudgment> judgments;
  const std::vector<double> worse = {2, 1, 0, 3, 1, 2};
  for (std::int64_t question = 0; question < 6; ++question) {
    for (const int turn : {1, 2}) {
      judgments.push_back(judgment("base", question, turn, 5));
      judgments.push_back(judgment("same", question, turn, 5));
      judgments.push_back(
          judgment("worse", question, turn, 5 - worse[static_cast<std::size_t>(question)]));
    }
  }
  judgments.push_back(judgment("worse", 99, 1, 10));  // the baseline has no such turn
  judgments.push_back(judgment("worse", 98, 1, std::nullopt));
  const auto compared = compare_mt_bench(judgments, {.baseline = "base", .margin = 0.5});
  ASSERT_EQ(compared.size(), 2U);
  EXPECT_EQ(compared[0].model, "same");
  EXPECT_EQ(compared[0].difference, 0);
  EXPECT_EQ(compared[0].p, 1);
  EXPECT_EQ(*compared[0].p_equivalent, 0);
  const MtComparison& w = compared[1];
  EXPECT_DOUBLE_EQ(w.difference, -1.5);
  EXPECT_EQ(w.questions, 6);
  EXPECT_EQ(w.unpaired, 1);
  EXPECT_DOUBLE_EQ(w.p, 2.0 / 32);  // five questions differ, all to one side
  EXPECT_DOUBLE_EQ(w.p_holm, 4.0 / 32);
  EXPECT_TRUE(w.interval.contains(-1.5));
  EXPECT_LT(w.interval.high, 0);
  EXPECT_GT(*w.p_equivalent, 0.5);
  EXPECT_GT(w.shown, 0.5);
  EXPECT_THAT(testing::complaint_of(ErrorKind::data,
                                    [&] { return compare_mt_bench(judgments, {.baseline = "x"}); }),
              HasSubstr("x has no judgment"));
}

TEST(MtBenchAgreement, OfJudgesOnTheSameTurns) {
  std::vector<MtJudgment> judgments;
  for (std::int64_t question = 1; question <= 4; ++question) {
    judgments.push_back(judgment("a", question, 1, static_cast<double>(question)));
    judgments.push_back(judgment("a", question, 1, static_cast<double>(2 * question)));
    judgments.back().judge = "kind";
  }
  judgments.push_back(judgment("b", 1, 1, 3));
  const auto agreement = mt_agreement(judgments);
  ASSERT_EQ(agreement.size(), 1U);
  EXPECT_EQ(agreement[0].judge_a, "judge");
  EXPECT_EQ(agreement[0].both, 4);
  EXPECT_DOUBLE_EQ(agreement[0].difference, -2.5);
  EXPECT_DOUBLE_EQ(agreement[0].within_one, 0.25);
  EXPECT_NEAR(*agreement[0].correlation, 1, 1e-12);
  EXPECT_TRUE(mt_agreement(std::vector{judgment("a", 1, 1, 3)}).empty());
}

MtPair pair(std::int64_t question, MtWinner game_1, MtWinner game_2) {
  MtPair p;
  p.question = question;
  p.model_1 = "a";
  p.model_2 = "b";
  p.judge = "judge";
  p.game_1 = game_1;
  p.game_2 = game_2;
  return p;
}

TEST(MtBenchPairs, DisagreementIsATieAndErrorsAreNoGames) {
  using enum MtWinner;
  const std::vector<MtPair> pairs = {pair(1, model_1, model_1), pair(2, model_1, model_2),
                                     pair(3, tie, tie),         pair(4, tie, model_2),
                                     pair(5, model_2, model_2), pair(6, model_1, model_1),
                                     pair(7, error, model_1)};
  const auto rates = mt_win_rates(pairs, "");
  ASSERT_EQ(rates.size(), 2U);
  const MtWinRate& a = rates[0];
  EXPECT_EQ(a.win, 2);
  EXPECT_EQ(a.loss, 1);
  EXPECT_EQ(a.tie, 3);
  EXPECT_EQ(a.disagree, 2);
  EXPECT_EQ(a.failed, 1);
  EXPECT_DOUBLE_EQ(*a.adjusted, 3.5 / 6);
  EXPECT_DOUBLE_EQ(*rates[1].adjusted, 2.5 / 6);
  EXPECT_TRUE(mt_win_rates(pairs, "c").empty());
}

TEST(MtBenchPairs, DuplicatesHaveNoMean) {
  const std::vector<MtPair> pairs(2, pair(1, MtWinner::tie, MtWinner::tie));
  EXPECT_THROW(settle_duplicates(pairs, Duplicates::error), Error);
  EXPECT_THROW(settle_duplicates(pairs, Duplicates::average), Error);
  EXPECT_EQ(settle_duplicates(pairs, Duplicates::last).size(), 1U);
}

}  // namespace
}  // namespace tapir::evaluate
