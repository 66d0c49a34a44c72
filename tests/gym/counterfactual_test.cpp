#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gym/families/families.h"

namespace tapir::gym {
namespace {

const Family& family = counterfactual_family();
constexpr std::string_view kPrompt = "Suppose 0 is 9, sum mod ten:0 b8 c2";
constexpr std::string_view kTwoRules = "Suppose 9 is 1, 3 is 4, sum mod ten:3 b9 c9 d9";

TEST(Counterfactual, RestatesTheRuleThenAdds) {
  EXPECT_EQ(family.teacher(kPrompt, Style::answer), "#9");
  EXPECT_EQ(family.teacher(kPrompt, Style::terse), "#9");
  EXPECT_EQ(family.teacher(kPrompt, Style::steps), "0>9: 0>9 b8>8+9=7 c2>2+7=9 #9");
  EXPECT_EQ(family.teacher(kTwoRules, Style::steps), "9>1, 3>4: 3>4 b9>1+4=5 c9>1+5=6 d9>1+6=7 #7");
  EXPECT_EQ(family.level(kPrompt), 1);
  EXPECT_EQ(family.level(kTwoRules), 3);
}

TEST(Counterfactual, TheDefaultRulesAnswerEarnsNothing) {
  for (const std::string_view answer : {"#0", "0>9: 0>9 b8>8+9=7 c2>2+7=9 #0"}) {
    const Verdict verdict = family.judge(kPrompt, answer);
    EXPECT_EQ(verdict.correct, 0);
    EXPECT_EQ(verdict.steps, 0);
    EXPECT_EQ(verdict.format, 1);
    EXPECT_THAT(verdict.words, testing::HasSubstr("default rule"));
  }
  EXPECT_THAT(family.judge(kPrompt, "#4").words, testing::Not(testing::HasSubstr("default rule")));
}

TEST(Counterfactual, StepsCountFromTheStudentsOwnValue) {
  const auto steps = [](std::string_view answer) { return family.judge(kPrompt, answer).steps; };
  EXPECT_DOUBLE_EQ(steps("0>9: 0>9 b8>8+9=7 c2>2+7=9 #9"), 1);
  EXPECT_DOUBLE_EQ(steps("0>9: 0>9 b8>8+9=6 c2>2+6=8 #8"), 3.0 / 4);  // one slip, then consistent
  EXPECT_DOUBLE_EQ(steps("0>9: 0>9 b8>8+9=6 c2>2+7=9 #9"), 2.0 / 4);
  EXPECT_DOUBLE_EQ(steps("0>8: 0>9 b8>8+9=7 c2>2+7=9 #9"), 3.0 / 4);
  EXPECT_DOUBLE_EQ(steps("0>9: 0>9 b8>8+9=7 #9"), 3.0 / 4);
  EXPECT_DOUBLE_EQ(steps("0>9: 0>9 c2>2+9=1 b8>8+1=9 #9"), 2.0 / 4);  // terms in another order
  EXPECT_DOUBLE_EQ(steps("0>9: 0>9 b8>9+9=8 c2>2+8=0 #0"),
                   0);  // 8 acts as itself; the default answer
  EXPECT_DOUBLE_EQ(steps("0>9: 0>9 b8>7+9=6 c2>2+6=8 #8"), 3.0 / 4);
  EXPECT_DOUBLE_EQ(steps("#9"), 1);
}

TEST(Counterfactual, OrderOfRulesAndTermsDoesNotMatter) {
  EXPECT_EQ(family.canonical(kTwoRules),
            family.canonical("Suppose 3 is 4, 9 is 1, sum mod ten:9 b3 c9 d9"));
  EXPECT_NE(family.canonical(kTwoRules),
            family.canonical("Suppose 3 is 5, 9 is 2, sum mod ten:9 b3 c9 d9"));
}

TEST(Counterfactual, AcceptsOnlyWhatChangesTheAnswer) {
  for (const std::string_view prompt :
       {"Suppose 4 is 4, sum mod ten:4 b8 c2",             // no change
        "Suppose 5 is 9, sum mod ten:0 b8 c2",             // does not occur
        "Suppose 0 is 5, 1 is 6, sum mod ten:0 b1 c8 d2",  // the same last digit
        "Suppose 0 is 9, 9 is 1, sum mod ten:0 b9 c8 d2",  // replaced twice
        "Suppose 0 is 9, 0 is 1, sum mod ten:0 b9 c8 d2",  // two rules for one digit
        "Suppose 0 is 9, sum mod ten:0 b8",                // no such level
        "Suppose sum mod ten:0 b8 c2", "Suppose 0 is 9, sum mod ten:0 c8 b2",
        "Suppose 0 is 9, sum mod ten:0 b8 c22", "sum mod ten:0 b8 c2", ""}) {
    EXPECT_FALSE(family.accepts(prompt)) << prompt;
  }
}

TEST(Counterfactual, UnreadableAnswers) {
  for (const std::string_view answer : {"", "9", "#", "#19", "# nine", "b8+9=7 #9", "0>9: #9",
                                        "0>9: 0>9 b8>8 #9", "0>9: 0>9 b8>8+9= #9"}) {
    EXPECT_EQ(family.judge(kPrompt, answer).format, 0) << answer;
  }
}

}  // namespace
}  // namespace tapir::gym
