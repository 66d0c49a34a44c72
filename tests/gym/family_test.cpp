// What every family promises, checked for all of them.
#include "gym/family.h"

#include <set>

#include <gtest/gtest.h>

#include "gym/world.h"

namespace tapir::gym {
namespace {

constexpr int kPrompts = 12;  // of each level

class EveryFamily : public ::testing::TestWithParam<std::string> {
 protected:
  const Family& family() const { return *find_family(GetParam()); }

  // Calls check(level, prompt, stream) for some prompts of every level.
  template <typename Check>
  void for_prompts(std::string_view what, Check check) const {
    for (int level = 1; level <= kLevelsBeyond; ++level) {
      for (int i = 0; i < kPrompts; ++i) {
        RandomStream stream(static_cast<std::uint64_t>(level), std::string(what) + GetParam(),
                            std::to_string(i));
        const std::string prompt = family().make(level, stream);
        SCOPED_TRACE(prompt);
        check(level, prompt, stream);
      }
    }
  }
};

// Text with a few bytes changed, dropped, doubled or cut off.
std::string damaged(std::string text, RandomStream& stream) {
  const int edits = stream.between(1, 4);
  for (int i = 0; i < edits && !text.empty(); ++i) {
    const std::size_t at = stream.below(text.size());
    switch (stream.below(5)) {
      case 0:
        text[at] = static_cast<char>(stream.below(256));
        break;
      case 1:
        text.erase(at, 1);
        break;
      case 2:
        text.insert(at, 1, text[at]);
        break;
      case 3:
        text.resize(at);
        break;
      default:
        text += text.substr(at);
        break;
    }
  }
  return text;
}

std::string random_bytes(RandomStream& stream) {
  std::string text(stream.below(60), '\0');
  for (char& c : text) c = static_cast<char>(stream.below(256));
  return text;
}

TEST_P(EveryFamily, HasANameATaskAndSevenLevels) {
  EXPECT_FALSE(family().task().empty());
  EXPECT_EQ(family().level_table().size(), static_cast<std::size_t>(kLevelsBeyond));
}

TEST_P(EveryFamily, MakesPromptsOfTheLevelThatOnlyItAccepts) {
  for_prompts("make", [&](int level, const std::string& prompt, RandomStream&) {
    ASSERT_TRUE(family().accepts(prompt));
    EXPECT_EQ(family().level(prompt), level);
    for (const Family* other : families()) {
      EXPECT_EQ(other->accepts(prompt), other == &family()) << other->name();
    }
    EXPECT_TRUE(family().canonical(prompt).starts_with(GetParam() + "|"));
  });
}

TEST_P(EveryFamily, RepeatsFromTheSeed) {
  for (int level = 1; level <= kLevelsBeyond; ++level) {
    RandomStream a(5, "repeat", GetParam());
    RandomStream b(5, "repeat", GetParam());
    EXPECT_EQ(family().make(level, a), family().make(level, b));
    EXPECT_EQ(make_item(family(), level, Part::test, 3, 8).prompt,
              make_item(family(), level, Part::test, 3, 8).prompt);
  }
}

TEST_P(EveryFamily, TeacherScoresTenInEveryStyle) {
  for_prompts("teacher", [&](int, const std::string& prompt, RandomStream&) {
    std::set<std::string> texts;
    for (const Style style : {Style::answer, Style::terse, Style::steps}) {
      const std::string answer = family().teacher(prompt, style);
      EXPECT_DOUBLE_EQ(family().judge(prompt, answer).score(), 10) << answer;
      EXPECT_FALSE(family().judge(prompt, answer).words.empty());
      texts.insert(answer);
    }
    EXPECT_EQ(texts.size() > 1, family().has_steps());
  });
}

TEST_P(EveryFamily, VariantsBreakWhatTheySay) {
  std::set<char> broken;
  for_prompts("vary", [&](int, const std::string& prompt, RandomStream& stream) {
    for (const Variant& variant : family().variants(prompt, stream)) {
      SCOPED_TRACE(variant.name + ": " + variant.text);
      const Verdict verdict = family().judge(prompt, variant.text);
      broken.insert(variant.breaks);
      if (variant.breaks == 0) {
        EXPECT_DOUBLE_EQ(verdict.score(), 10);
      }
      if (variant.breaks == 'C') {
        EXPECT_LT(verdict.correct, 1);
      }
      if (variant.breaks == 'S') {
        EXPECT_LT(verdict.steps, 1);
      }
      if (variant.breaks == 'F') {
        EXPECT_LT(verdict.format, 1);
      }
      for (const double component : {verdict.correct, verdict.steps, verdict.format}) {
        EXPECT_GE(component, 0);
        EXPECT_LE(component, 1);
      }
      if (!verdict.right()) {
        EXPECT_LT(verdict.score(), 6);
      }
    }
  });
  EXPECT_TRUE(broken.contains('C'));
  EXPECT_TRUE(broken.contains('F'));
  EXPECT_TRUE(broken.contains(0)) << "no equivalent rewrite";
  if (family().has_steps()) {
    EXPECT_TRUE(broken.contains('S'));
  }
}

TEST_P(EveryFamily, BreaksStepsAloneWhereItHasSteps) {
  bool alone = false;
  for_prompts("vary", [&](int, const std::string& prompt, RandomStream& stream) {
    for (const Variant& variant : family().variants(prompt, stream)) {
      const Verdict verdict = family().judge(prompt, variant.text);
      alone = alone || (verdict.right() && verdict.format >= 1 && verdict.steps < 1);
    }
  });
  EXPECT_EQ(alone, family().has_steps());
}

TEST_P(EveryFamily, AnswersToOtherPromptsAreSeldomRight) {
  int right = 0;
  int all = 0;
  for_prompts("other", [&](int level, const std::string& prompt, RandomStream& stream) {
    const Verdict verdict =
        family().judge(prompt, family().teacher(family().make(level, stream), Style::terse));
    right += verdict.right() ? 1 : 0;
    ++all;
    if (!verdict.right()) {
      EXPECT_LT(verdict.score(), 6);
    }
  });
  EXPECT_LT(right, 0.7 * all);
}

TEST_P(EveryFamily, EvolvesByOneLevelButNotBeyondFive) {
  for_prompts("evolve", [&](int level, const std::string& prompt, RandomStream& stream) {
    if (level > kLevels) return;
    const std::string harder = family().evolve(prompt, stream);
    ASSERT_TRUE(family().accepts(harder)) << harder;
    EXPECT_EQ(family().level(harder), std::min(level + 1, kLevels));
  });
}

TEST_P(EveryFamily, IsTotal) {
  for_prompts("fuzz", [&](int, const std::string& prompt, RandomStream& stream) {
    const std::string answer = family().teacher(prompt, Style::steps);
    for (int i = 0; i < 60; ++i) {
      const std::string other = i % 4 == 0 ? random_bytes(stream) : damaged(prompt, stream);
      int accepted = 0;
      for (const Family* one : families()) accepted += one->accepts(other) ? 1 : 0;
      EXPECT_LE(accepted, 1) << other;
      if (family().accepts(other)) {
        EXPECT_GE(family().level(other), 1);
        EXPECT_LE(family().level(other), kLevelsBeyond);
        EXPECT_DOUBLE_EQ(family().judge(other, family().teacher(other, Style::steps)).score(), 10)
            << other;
      }
      const std::string response = i % 4 == 0 ? random_bytes(stream) : damaged(answer, stream);
      const double score = family().judge(prompt, response).score();
      EXPECT_GE(score, 1) << response;
      EXPECT_LE(score, 10) << response;
    }
  });
}

TEST_P(EveryFamily, SuppliesEveryPartOfEveryLevel) {
  for (int level = 1; level <= kLevelsBeyond; ++level) {
    for (const Part part : {Part::train, Part::dev, Part::test}) {
      const Item item = make_item(family(), level, part, 1, 0);
      EXPECT_EQ(family().level(item.prompt), level);
    }
  }
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const Family* family : families()) out.emplace_back(family->name());
  return out;
}
INSTANTIATE_TEST_SUITE_P(Gym, EveryFamily, ::testing::ValuesIn(names()),
                         [](const auto& row) { return row.param; });

TEST(Families, StandInTheOrderOfTheTable) {
  EXPECT_EQ(names(), (std::vector<std::string>{"add", "modsum", "boolean", "shuffle", "synth",
                                               "debug_token", "trace", "base_add", "dyck", "kb",
                                               "layered", "counterfactual", "translate", "grammar",
                                               "paraphrase", "persona"}));
}

TEST(Families, AreFoundByNameAndByPrompt) {
  EXPECT_EQ(find_family("nobody"), nullptr);
  EXPECT_EQ(recognise("What is the capital of France?"), nullptr);
  EXPECT_EQ(recognise(""), nullptr);
  EXPECT_FALSE(judge_text("Hello", "#8").has_value());
  const auto verdict = judge_text("add:a3+A5", "#8");
  ASSERT_TRUE(verdict.has_value());
  EXPECT_TRUE(verdict->right());
}

}  // namespace
}  // namespace tapir::gym
