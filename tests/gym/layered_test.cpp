#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "base/strings.h"
#include "gym/families/families.h"
#include "rubric/component.h"

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

// The prompt with its place-th constraint left out.
std::string without(std::string_view prompt, std::size_t place) {
  const std::size_t colon = prompt.find(": ");
  std::vector<std::string> constraints = split(prompt.substr(colon + 2), ',');
  constraints.erase(constraints.begin() + static_cast<std::ptrdiff_t>(place));
  for (std::string& one : constraints) one = std::string(trim(one));
  return std::string(prompt.substr(0, colon + 2)) + join(constraints, ", ");
}

TEST(Layered, AnIgnoredConstraintCostsExactlyItsWeight) {
  int mutations = 0;
  for (const int level : {2, 3, 5}) {  // one constraint less is a level of as many items
    for (int i = 0; i < 200; ++i) {
      RandomStream stream(5, "layered", std::to_string(level) + "/" + std::to_string(i));
      const std::string prompt = layered.make(level, stream);
      for (int place = 0; place < level; ++place) {
        const std::string answer =
            layered.teacher(without(prompt, static_cast<std::size_t>(place)), Style::terse);
        if (answer == layered.teacher(prompt, Style::terse)) continue;  // sorted before
        // Six aspects weigh 1, an asked one 1 more: 2 of 6 + level are lost.
        ASSERT_DOUBLE_EQ(layered.judge(prompt, answer).correct, 0.2 * (4.0 + level) / (6.0 + level))
            << prompt << " -> " << answer;
        ++mutations;
      }
    }
  }
  EXPECT_GT(mutations, 1500);
}

TEST(Layered, ConstraintsConflictAsTheirComponentsDo) {
  const std::vector<std::pair<std::string, rubric::Component>> constraints = [] {
    std::vector<std::pair<std::string, rubric::Component>> all;
    const auto add = [&](const char* word, const char* kind, std::vector<std::string> values) {
      rubric::Component component;
      component.id = word;
      component.kind = kind;
      component.values = std::move(values);
      all.emplace_back(word, component);
    };
    add("reversed", "list_order", {"nut", "fig", "lime"});
    add("sorted", "list_order", {"fig", "lime", "nut"});
    add("commas", "list_separator", {"comma"});
    add("slashes", "list_separator", {"slash"});
    add("bars", "list_separator", {"bar"});
    add("numbered", "list_prefix", {"number"});
    add("dashed", "list_prefix", {"dash"});
    add("round", "list_brackets", {"round"});
    add("square", "list_brackets", {"square"});
    add("titled", "list_title", {"list"});
    add("counted", "list_end", {"total"});
    add("closed", "list_end", {"end"});
    return all;
  }();
  for (std::size_t i = 0; i < constraints.size(); ++i) {
    for (std::size_t j = i + 1; j < constraints.size(); ++j) {
      const auto& [first, one] = constraints[i];
      const auto& [second, other] = constraints[j];
      const std::string prompt = "Format lime fig nut: " + first + ", " + second;
      EXPECT_EQ(layered.accepts(prompt), rubric::conflicts_of({one, other}).empty()) << prompt;
    }
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
