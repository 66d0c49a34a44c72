#include "rubric/grade.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/strings.h"

namespace tapir::rubric {
namespace {

Component make(std::string id, std::string kind, double weight, std::vector<std::string> values,
               Bounds bounds = {}) {
  Component component;
  component.id = std::move(id);
  component.kind = std::move(kind);
  component.weight = weight;
  component.values = std::move(values);
  component.bounds = bounds;
  EXPECT_EQ(fault_of(component), "") << component.id;
  return component;
}

Component judged(std::string id, double weight) {
  Component component;
  component.id = std::move(id);
  component.kind = kJudged;
  component.weight = weight;
  component.text = "It is polite.";
  return component;
}

// An answer in pieces; leaving one out, or putting in its opposite, breaks one component alone.
struct Part {
  Component component;
  std::string kept;
  std::string broken;
};

std::vector<Part> parts() {
  return {{make("greeting", "starts_with", 2, {"Dear reader"}), "Dear reader,", "Hello,"},
          {make("rain", "mention", 1, {"rain"}), "rain falls", "snow falls"},
          {make("no_sun", "avoid", 3, {"sun"}), "without end", "without sun"},
          {make("points", "bullets", 1.5, {}, {2, 2}), "\n- one\n- two\n", "\n- one\n+ two\n"},
          {make("section", "sections", 1, {"Part"}, {1, std::nullopt}), "Part 1", "Part A"},
          {make("gap", "placeholders", 0.5, {}, {1, std::nullopt}), "[name]", "(name)"},
          {make("mark", "highlights", 1, {}, {1, 1}), "*well*", "well"},
          {make("title", "title", 1, {}), "<<On water>>", "On water"},
          {make("end", "ends_with", 4, {"Yours"}), "Yours", "Bye"}};
}

std::string answer_of(const std::vector<Part>& all, std::size_t broken) {
  std::vector<std::string> pieces;
  for (std::size_t i = 0; i < all.size(); ++i)
    pieces.push_back(i == broken ? all[i].broken : all[i].kept);
  return join(pieces, " ");
}

TEST(Grade, ABrokenComponentCostsExactlyItsWeight) {
  const std::vector<Part> all = parts();
  Rubric rubric;
  for (const Part& part : all) rubric.push_back(part.component);
  const Grade whole = grade(rubric, answer_of(all, all.size()));
  EXPECT_EQ(whole.score(), 10) << "to the bit";
  for (std::size_t broken = 0; broken < all.size(); ++broken) {
    const std::string answer = answer_of(all, broken);
    const Grade one = grade(rubric, answer);
    for (std::size_t i = 0; i < all.size(); ++i)
      EXPECT_EQ(one.components[i].finding.kept, i != broken) << rubric[i].id << ": " << answer;
    EXPECT_NEAR(one.score(), 10 - 9 * rubric[broken].weight / 15, 1e-12) << answer;
  }
}

TEST(Grade, ABlankAnswerKeepsNothing) {
  const Rubric rubric = {make("short", "words", 1, {}, {std::nullopt, 5}), judged("polite", 2)};
  for (const std::string answer : {"", "  \n\t", "\xC2\xA0"}) {
    const Grade graded = grade(rubric, answer);
    EXPECT_EQ(graded.score(), 1) << "no judge is needed for it";
  }
}

TEST(Grade, TheJudgesVerdictsCountByTheirWeight) {
  const Rubric rubric = {make("short", "words", 1, {}, {std::nullopt, 5}), judged("polite", 2)};
  EXPECT_EQ(grade(rubric, "Thank you", {{"polite", true}}).score(), 10);
  EXPECT_DOUBLE_EQ(grade(rubric, "Go", {{"polite", false}}).score(), 4);
}

TEST(Loose, ForgivesAnIntroductionACloseAndAsterisks) {
  const Component start = make("start", "starts_with", 1, {"One"});
  const auto loose = [](const Component& component, std::string_view answer) {
    return check(component, answer, Strictness::loose).kept;
  };
  EXPECT_TRUE(loose(start, "Sure, here it is:\nOne two"));
  EXPECT_TRUE(loose(start, "**One** two"));
  EXPECT_FALSE(loose(start, "Sure:\nreally:\nOne"));
  EXPECT_FALSE(check(start, "Sure, here it is:\nOne two", Strictness::strict).kept);
  const Component end = make("end", "ends_with", 1, {"done"});
  EXPECT_TRUE(loose(end, "It is done\nAnything else?"));
  const Component quote = make("quote", "quotation", 1, {});
  EXPECT_TRUE(loose(quote, "Here:\n\"It is.\"\nBye."));
  const Component few = make("few", "words", 1, {}, {std::nullopt, 1});
  EXPECT_FALSE(loose(few, "one two"))
      << "cutting the only line leaves a blank, which keeps nothing";
}

TEST(Checkers, TakeAnyBytes) {
  const std::vector<std::string> pieces = {
      "*",        "\n", "\n\n",   "***",     "******",  "- ", "1. ", "[",      "]",
      "<<",       ">>", "\"",     "```json", "{",       "P.", "s.",  "Part 1", "\xff",
      "\xe2\x96", "ß",  "Dr. A.", "List :",  "total 2", "|",  "a",   "NASA",   " "};
  Rubric rubric;
  for (const Part& part : parts()) rubric.push_back(part.component);
  rubric.push_back(make("json", "json", 1, {}));
  rubric.push_back(make("lang", "language", 1, {"en"}));
  rubric.push_back(make("upper", "case", 1, {"upper"}));
  rubric.push_back(make("sentences", "sentences", 1, {}, {1, 3}));
  rubric.push_back(make("capitals", "capital_words", 1, {}, {1, 3}));
  rubric.push_back(make("ps", "postscript", 1, {"P.S."}));
  rubric.push_back(make("list", "list_end", 1, {"total"}));
  rubric.push_back(make("answers", "answers", 1, {}, {1, 3}));
  rubric.push_back(make("first", "paragraph_start", 1, {"a"}));
  int kept = 0;
  for (int i = 0; i < 3000; ++i) {
    RandomStream stream(7, "answers", std::to_string(i));
    std::string answer;
    for (std::uint64_t n = stream.below(12); n > 0; --n) answer += stream.choose(pieces);
    for (const ComponentResult& one : grade(rubric, answer).components)
      kept += one.finding.kept ? 1 : 0;
    for (const Component& one : rubric) check(one, answer, Strictness::loose);
  }
  EXPECT_GT(kept, 1000) << "the pieces reach what is checked";
}

}  // namespace
}  // namespace tapir::rubric
