#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gym/families/families.h"

namespace tapir::gym {
namespace {

const Family& grammar = grammar_family();
constexpr std::string_view kNone = "Correct: three bears like their fish";
constexpr std::string_view kThree =
    "Correct: one dog see its ball, one mice likes its bed, three bear eat their milk";
constexpr std::string_view kThreeCorrected =
    "# one dog sees its ball, one mouse likes its bed, three bears eat their milk";

TEST(Grammar, TheNumeralAnchorsTheNumber) {
  EXPECT_EQ(grammar.teacher(kNone, Style::terse), "# three bears like their fish");
  EXPECT_EQ(grammar.teacher(kThree, Style::terse), kThreeCorrected);
  EXPECT_EQ(
      grammar.teacher("Correct: one foxes want their fish, two cats want their corn", Style::terse),
      "# one fox wants its fish, two cats want their corn");
  EXPECT_EQ(grammar.level(kNone), 1);
  EXPECT_EQ(grammar.level(kThree), 4);
}

TEST(Grammar, CreditIsRightMinusSpuriousEdits) {
  const auto correct = [](std::string_view answer) {
    return grammar.judge(kThree, answer).correct;
  };
  EXPECT_DOUBLE_EQ(correct(kThreeCorrected), 1);
  EXPECT_DOUBLE_EQ(
      correct("# one dog sees its ball, one mouse likes its bed, three bear eat their milk"),
      0.2 * 2 / 3);
  EXPECT_DOUBLE_EQ(  // two repairs, one needless change
      correct("# one dog sees its corn, one mouse likes its bed, three bear eat their milk"),
      0.2 / 3);
  EXPECT_DOUBLE_EQ(  // no repair, two needless changes: not below zero
      correct("# one cat see its corn, one mice likes its bed, three bear eat their milk"), 0);
  EXPECT_DOUBLE_EQ(  // all repaired, one word left out
      correct("# dog sees its ball, one mouse likes its bed, three bears eat their milk"),
      0.2 * 2 / 3);
  EXPECT_EQ(grammar
                .judge(kThree,
                       "# one dog sees its ball, one mouse likes its bed, three bear "
                       "eat their milk")
                .words,
            "2 of 3 errors repaired, 0 needless changes.");
}

TEST(Grammar, ACorrectSentenceStaysAsItIs) {
  EXPECT_DOUBLE_EQ(grammar.judge(kNone, "three bears like their fish").score(), 10);
  const Verdict changed = grammar.judge(kNone, "# three bears like their milk");
  EXPECT_DOUBLE_EQ(changed.correct, 0);
  EXPECT_DOUBLE_EQ(changed.format, 1);
}

TEST(Grammar, OtherWordsHaveNoForm) {
  for (const std::string_view answer : {"", "#", "# three bears", "# three bears liked their fish",
                                        "# Three bears like their fish."}) {
    EXPECT_EQ(grammar.judge(kNone, answer).format, 0) << answer;
  }
  const std::string endless = "# " + [] {
    std::string text;
    for (int i = 0; i < 5000; ++i) text += "dog ";
    return text;
  }();
  EXPECT_EQ(grammar.judge(kNone, endless).format, 0);
}

TEST(Grammar, PromptsOfNoLevelAreNotAccepted) {
  for (const std::string_view prompt :
       {"Correct: three bears like their", "Correct: three bears like their fish.",
        "Correct: six bears like their fish", "Correct:", "correct: three bears like their fish",
        "Correct: three bear likes its fish",  // three errors need two clauses
        "Correct: one dog eats its corn, one dog eats its corn, one dog eats its corn"}) {
    EXPECT_FALSE(grammar.accepts(prompt)) << prompt;
  }
}

}  // namespace
}  // namespace tapir::gym
