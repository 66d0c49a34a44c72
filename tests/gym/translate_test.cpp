#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gym/families/families.h"

namespace tapir::gym {
namespace {

const Family& translate = translate_family();
constexpr std::string_view kPrompt = "Say in tala: old mouse sings";

TEST(Translate, EachLanguageHasItsWordsAndItsOrder) {
  EXPECT_EQ(translate.teacher(kPrompt, Style::terse), "# musi velo kanta");
  EXPECT_EQ(translate.teacher("Say in miro: old mouse sings", Style::terse), "# synt ald rott");
  EXPECT_EQ(translate.teacher("Say in suvi: old mouse sings", Style::terse),
            "# laulu hiirei vanhai");
  EXPECT_EQ(translate.teacher("Say in suvi: white horse runs, old duck eats", Style::steps),
            "# juoksu hevoi valkoi, syody ankkai vanhai");
  EXPECT_EQ(translate.level("Say in suvi: white horse runs, old duck eats"), 2);
}

TEST(Translate, PartialCreditIsTokenF1) {
  EXPECT_DOUBLE_EQ(translate.judge(kPrompt, "# musi velo kanta").score(), 10);
  EXPECT_DOUBLE_EQ(translate.judge(kPrompt, "musi velo kanta").score(), 10);
  const Verdict order = translate.judge(kPrompt, "# velo musi kanta");
  EXPECT_DOUBLE_EQ(order.correct, 0.2);
  EXPECT_EQ(order.words, "The words are right, but not in the order of tala.");
  EXPECT_DOUBLE_EQ(translate.judge(kPrompt, "# musi velo dorma").correct, 0.2 * 2 / 3);
  EXPECT_DOUBLE_EQ(translate.judge(kPrompt, "# musi").correct, 0.2 * 0.5);
  EXPECT_DOUBLE_EQ(translate.judge(kPrompt, "# musi musi musi").correct, 0.2 / 3);
  EXPECT_DOUBLE_EQ(translate.judge(kPrompt, "# old mouse sings").correct, 0);
}

TEST(Translate, UnknownWordsHaveNoForm) {
  for (const std::string_view answer :
       {"", "#", "# musi velo cantata", "# musi velo kanta.", "\xff"}) {
    EXPECT_EQ(translate.judge(kPrompt, answer).format, 0) << answer;
  }
  for (const std::string_view prompt :
       {"Say in tala:", "Say in latin: old mouse sings", "Say in tala: mouse old sings",
        "Say in tala: old mouse sings,", "Say in tala: old mouse sings.",
        "Say in tala: red dog runs, red dog runs, red dog runs, red dog runs, red dog runs, "
        "red dog runs, red dog runs, red dog runs"}) {
    EXPECT_FALSE(translate.accepts(prompt)) << prompt;
  }
}

}  // namespace
}  // namespace tapir::gym
