#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gym/families/families.h"

namespace tapir::gym {
namespace {

const Family& paraphrase = paraphrase_family();
constexpr std::string_view kPassive = "Rephrase: ivan is followed by kurt";
constexpr std::string_view kTwo =
    "Rephrase: bert paints willy here, it is tina who knows sven here";

TEST(Paraphrase, TheTeacherChangesTheVoice) {
  EXPECT_EQ(paraphrase.teacher(kPassive, Style::terse), "# kurt follows ivan");
  EXPECT_EQ(paraphrase.teacher("Rephrase: kurt follows ivan", Style::terse),
            "# ivan is followed by kurt");
  EXPECT_EQ(paraphrase.teacher("Rephrase: now it is anna who sees egon", Style::terse),
            "# now anna sees egon");
  EXPECT_EQ(paraphrase.teacher(kTwo, Style::terse),
            "# willy is painted by bert here, tina knows sven here");
  EXPECT_EQ(paraphrase.level(kPassive), 1);
  EXPECT_EQ(paraphrase.level("Rephrase: now it is anna who sees egon"), 2);
  EXPECT_EQ(paraphrase.level(kTwo), 4);
}

TEST(Paraphrase, AnyOtherFormOfTheSameMeaningIsRight) {
  for (const std::string_view answer :
       {"# kurt follows ivan", "kurt follows ivan", "# it is kurt who follows ivan"}) {
    EXPECT_DOUBLE_EQ(paraphrase.judge(kPassive, answer).score(), 10) << answer;
  }
  EXPECT_DOUBLE_EQ(  // the adverb moved
      paraphrase.judge(kTwo, "# here bert paints willy, it is tina who knows sven here").score(),
      10);
}

TEST(Paraphrase, ACopyEarnsNothing) {
  const Verdict copy = paraphrase.judge(kPassive, "# ivan is followed by kurt");
  EXPECT_EQ(copy.correct, 0);
  EXPECT_EQ(copy.format, 1);
  EXPECT_EQ(copy.words, "A copy of the sentence, not a paraphrase.");
}

TEST(Paraphrase, PartialCreditIsTheMeaningKept) {
  EXPECT_DOUBLE_EQ(paraphrase.judge(kPassive, "# kurt sees ivan").correct, 0.2 * 3 / 4);
  EXPECT_DOUBLE_EQ(paraphrase.judge(kPassive, "# ivan follows kurt").correct, 0.2 * 2 / 4);
  EXPECT_DOUBLE_EQ(paraphrase.judge(kPassive, "# kurt follows ivan, kurt follows ivan").correct,
                   0.2 * 4 / 8);
  EXPECT_DOUBLE_EQ(paraphrase.judge(kPassive, "# kurt follows ivan now").correct, 0.2 * 3 / 4);
}

TEST(Paraphrase, CanonicalIsTheMeaning) {
  EXPECT_EQ(paraphrase.canonical(kPassive), paraphrase.canonical("Rephrase: kurt follows ivan"));
  EXPECT_NE(paraphrase.canonical(kPassive), paraphrase.canonical("Rephrase: ivan follows kurt"));
}

TEST(Paraphrase, OutsideTheGrammar) {
  for (const std::string_view answer :
       {"", "#", "# kurt followed ivan", "# kurt follows kurt", "# kurt follows",
        "# now kurt follows ivan now", "# kurt follows ivan,", "# it is kurt follows ivan"}) {
    EXPECT_EQ(paraphrase.judge(kPassive, answer).format, 0) << answer;
  }
  for (const std::string_view prompt :
       {"Rephrase:", "Rephrase: kurt follows ivan.", "Rephrase: kurt follows kurt",
        "Rephrase: kurt follows ivan, anna sees egon now",  // an adverb in one clause only
        "Paraphrase: kurt follows ivan"}) {
    EXPECT_FALSE(paraphrase.accepts(prompt)) << prompt;
  }
}

}  // namespace
}  // namespace tapir::gym
