#include "difficulty/pair_scorers.h"

#include <gtest/gtest.h>

namespace tapir::difficulty {
namespace {

Pair pair_of(const std::string& teacher, const std::string& student, int number = 0) {
  Pair pair;
  pair.instruction.id = std::string("row-").append(std::to_string(number));
  pair.teacher_answer = teacher;
  pair.student_answer = student;
  pair.author = "student/s0";
  return pair;
}

TEST(AnswerMatch, GivesTenOrOne) {
  const auto judge = make_answer_match();
  const std::string reference = "6*7 = <<6*7=42>>42\n#### 42";
  for (const std::string right :
       {"#### 42", "The answer is 42.", "so she has 42", "\\boxed{42.0}", "6*7", "42 apples"}) {
    EXPECT_EQ(judge->score(pair_of(reference, right)).student, 10) << right;
  }
  for (const std::string wrong : {"#### 41", "The answer is 24", "", "42 of them, or 43", "none"}) {
    EXPECT_EQ(judge->score(pair_of(reference, wrong)).student, 1) << wrong;
  }
  EXPECT_EQ(judge->score(pair_of("The answer is (B).", "(b) because")).student, 10);
  EXPECT_EQ(judge->score(pair_of("The answer is (B).", "C")).student, 1);
  EXPECT_EQ(judge->score(pair_of("#### 3/4", "it is 0.75")).student, 10);
  EXPECT_EQ(judge->score(pair_of("Roses are red.", "42")).failure, "no_final_answer");
  EXPECT_EQ(judge->score(pair_of(reference, "#### 42")).teacher, 10);
}

TEST(Overlap, IsRougeLOnTheScale) {
  const auto judge = make_overlap();
  EXPECT_EQ(judge->score(pair_of("a b c d", "a b c d")).student, 10);
  EXPECT_EQ(judge->score(pair_of("a b c d", "x y z")).student, 1);
  EXPECT_DOUBLE_EQ(judge->score(pair_of("a b c d", "a b")).student, 1 + 9 * 2.0 / 3);
  EXPECT_EQ(judge->score(pair_of("a b", "")).student, 1);
  EXPECT_EQ(judge->score(pair_of(" \n", "a")).failure, "no_words");
}

// Answers in Japanese, of emoji or of signs alone could not be scored.
TEST(Overlap, WhereTheReferenceHasNoWordsCharactersCount) {
  const auto judge = make_overlap();
  const std::string three = "\xE5\xA4\x95\xE9\xA3\x9F \xE3\x81\xAB";  // and a blank
  EXPECT_EQ(judge->score(pair_of(three, three)).student, 10);
  EXPECT_DOUBLE_EQ(judge->score(pair_of(three, "\xE5\xA4\x95\xE9\xA3\x9F!")).student,
                   1 + 9 * 2.0 / 3);
  EXPECT_EQ(judge->score(pair_of(three, "supper")).student, 1);
  EXPECT_EQ(judge->score(pair_of(":-)", ":-)")).student, 10);
  EXPECT_EQ(judge->score(pair_of("\x80\xFF", "\x80")).failure, "") << "broken bytes";
}

TEST(PairScorers, AreFoundByName) {
  EXPECT_EQ(make_pair_scorer("answer_match")->name(), "answer_match");
  EXPECT_EQ(make_pair_scorer("overlap")->name(), "overlap");
  EXPECT_EQ(make_pair_scorer("gym"), nullptr);
}

TEST(ScorePairs, JudgesEachPairOnceAndBalances) {
  std::vector<Pair> pairs;
  for (int i = 0; i < 30; ++i) {
    const std::string number = std::to_string(i);
    pairs.push_back(
        pair_of(i % 3 == 2 ? "prose" : "#### " + number, i % 3 == 0 ? number : "wrong", i));
  }
  std::vector<Judgment> judgments;
  const auto keep = [&](const Judgment& judgment) { judgments.push_back(judgment); };
  const auto judge = make_answer_match();
  std::stop_source stopped;
  stopped.request_stop();
  const JudgeSummary none =
      score_pairs(*judge, pairs, {}, {}, keep, silent_progress(), stopped.get_token());
  EXPECT_FALSE(none.complete);
  EXPECT_TRUE(none.ledger.balances());
  EXPECT_TRUE(judgments.empty());

  const JudgeSummary summary = score_pairs(*judge, pairs, {}, {}, keep, silent_progress(), {});
  EXPECT_TRUE(summary.complete);
  EXPECT_TRUE(summary.ledger.balances());
  EXPECT_EQ(summary.ledger.done, 20U);
  EXPECT_EQ(summary.ledger.failed.at("no_final_answer"), 10U);
  EXPECT_EQ(summary.one_order, 20);
  ASSERT_EQ(judgments.size(), 30U);
  EXPECT_EQ(fit_of({judgments[1]}, false)->gap(), 9);
  EXPECT_EQ(fit_of({judgments[3]}, true)->gap(), 0);
  EXPECT_TRUE(fit_of({judgments[3]}, true)->truncated);

  const std::vector<Judgment> already = judgments;
  const JudgeSummary again = score_pairs(*judge, pairs, already, {}, keep, silent_progress(), {});
  EXPECT_EQ(again.ledger, summary.ledger);
  EXPECT_EQ(judgments.size(), 30U) << "nothing is judged twice";
}

}  // namespace
}  // namespace tapir::difficulty
