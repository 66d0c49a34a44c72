#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gym/families/families.h"

namespace tapir::gym {
namespace {

const Family& layered = layered_family();
constexpr std::string_view kOne = "Format lime fig nut: commas";
constexpr std::string_view kFive =
    "Format bean black gold fig: bars, dashed, round, titled, closed";

TEST(Layered, EveryConstraintHasItsMark) {
  const auto answer = [](std::string_view prompt) { return layered.teacher(prompt, Style::terse); };
  EXPECT_EQ(answer(kOne), "# lime, fig, nut");
  EXPECT_EQ(answer("Format lime fig nut: slashes"), "# lime / fig / nut");
  EXPECT_EQ(answer("Format lime fig nut: bars"), "# lime | fig | nut");
  EXPECT_EQ(answer("Format lime fig nut: reversed"), "# nut fig lime");
  EXPECT_EQ(answer("Format lime fig nut: sorted"), "# fig lime nut");
  EXPECT_EQ(answer("Format lime fig nut: numbered"), "# 1 lime 2 fig 3 nut");
  EXPECT_EQ(answer("Format lime fig nut: dashed"), "# - lime - fig - nut");
  EXPECT_EQ(answer("Format lime fig nut: round"), "# ( lime ) ( fig ) ( nut )");
  EXPECT_EQ(answer("Format lime fig nut: square"), "# [ lime ] [ fig ] [ nut ]");
  EXPECT_EQ(answer("Format lime fig nut: titled"), "# List : lime fig nut");
  EXPECT_EQ(answer("Format lime fig nut: counted"), "# lime fig nut total 3");
  EXPECT_EQ(answer("Format lime fig nut: closed"), "# lime fig nut end");
  EXPECT_EQ(answer(kFive), "# List : - ( bean ) | - ( black ) | - ( gold ) | - ( fig ) end");
  EXPECT_EQ(layered.level(kOne), 1);
  EXPECT_EQ(layered.level(kFive), 5);
}

TEST(Layered, ContentIsAGate) {
  for (const std::string_view answer :
       {"# lime, fig", "# lime, fig, corn", "# lime, fig, fig, nut"}) {
    const Verdict verdict = layered.judge(kOne, answer);
    EXPECT_EQ(verdict.correct, 0) << answer;
    EXPECT_EQ(verdict.words, "Not the items that were given, each once.");
  }
}

TEST(Layered, AskedAspectsWeighTwoTheOthersOne) {
  const auto correct = [](std::string_view answer) { return layered.judge(kOne, answer).correct; };
  EXPECT_DOUBLE_EQ(correct("# lime, fig, nut"), 1);
  EXPECT_DOUBLE_EQ(correct("lime ,fig ,nut"), 1);
  EXPECT_DOUBLE_EQ(correct("# lime fig nut"), 0.2 * 5 / 7);        // separators, asked for
  EXPECT_DOUBLE_EQ(correct("# lime, fig / nut"), 0.2 * 5 / 7);     // mixed
  EXPECT_DOUBLE_EQ(correct("# lime, nut, fig"), 0.2 * 6 / 7);      // order, not asked for
  EXPECT_DOUBLE_EQ(correct("# lime, fig, nut end"), 0.2 * 6 / 7);  // a mark nobody asked for
  EXPECT_DOUBLE_EQ(correct("# ( lime ], fig, nut"), 0.2 * 6 / 7);  // brackets that do not pair
  EXPECT_DOUBLE_EQ(correct("# List : 1 lime fig 3 nut"), 0.2 * 3 / 7);
  EXPECT_EQ(layered.judge(kOne, "# List : lime fig nut").words, "Not as asked: separators, title.");
}

TEST(Layered, NumbersAndCountsAreChecked) {
  constexpr std::string_view prompt = "Format lime fig nut: numbered, counted";
  EXPECT_DOUBLE_EQ(layered.judge(prompt, "# 1 lime 2 fig 3 nut total 3").score(), 10);
  EXPECT_DOUBLE_EQ(layered.judge(prompt, "# 1 lime 2 fig 3 nut total 4").correct, 0.2 * 6 / 8);
  EXPECT_DOUBLE_EQ(layered.judge(prompt, "# 1 lime 3 fig 2 nut total 3").correct, 0.2 * 6 / 8);
}

TEST(Layered, ConflictingConstraintsAreNoPrompt) {
  for (const std::string_view prompt :
       {"Format lime fig nut: reversed, sorted", "Format lime fig nut: commas, bars",
        "Format lime fig nut: numbered, dashed", "Format lime fig nut: round, square",
        "Format lime fig nut: counted, closed", "Format lime fig nut: commas, commas",
        "Format lime fig lime: commas", "Format lime fig: commas",
        "Format lime fig nut:", "Format lime fig nut: loud", "Format: commas"}) {
    EXPECT_FALSE(layered.accepts(prompt)) << prompt;
  }
}

TEST(Layered, CanonicalForgetsWhatDoesNotMatter) {
  EXPECT_EQ(layered.canonical("Format lime fig nut: commas, titled"),
            layered.canonical("Format lime fig nut: titled, commas"));
  EXPECT_EQ(layered.canonical("Format lime fig nut: sorted"),
            layered.canonical("Format nut fig lime: sorted"));
  EXPECT_NE(layered.canonical("Format lime fig nut: reversed"),
            layered.canonical("Format nut fig lime: reversed"));
}

TEST(Layered, OtherTextsHaveNoForm) {
  for (const std::string_view answer : {"", "#", "# List :", "# lime, fig, nut and",
                                        "# lime, fig, nut total", "# , ,", "\xc3\xa9"}) {
    EXPECT_EQ(layered.judge(kOne, answer).format, 0) << answer;
  }
}

}  // namespace
}  // namespace tapir::gym
