#include "evaluate/compliance.h"

#include <gtest/gtest.h>

namespace tapir::evaluate {
namespace {

using rubric::Strictness;

rubric::Component make(const std::string& kind, std::vector<std::string> values,
                       const std::string& source = "") {
  rubric::Component component;
  component.id = kind;
  component.kind = kind;
  component.source = source;
  component.values = std::move(values);
  return component;
}

TEST(Compliance, CountsPromptsAndInstructionsStrictlyAndLoosely) {
  rubric::Component judged = make("judged", {});
  judged.text = "It is polite.";
  const rubric::Rubric two = {make("starts_with", {"One"}, "combination:repeat_prompt"),
                              make("avoid", {","}), judged};
  const rubric::Rubric one = {make("title", {})};
  const rubric::Rubric none = {judged};
  const std::vector<CheckedAnswer> answers = {
      check_answer("a", two, "One two"),           // both
      check_answer("b", two, "So:\nOne two"),      // both, loosely
      check_answer("c", two, "Two, three"),        // none
      check_answer("d", one, "<<Title>>"),         // it
      check_answer("e", none, "anything at all"),  // nothing to check
  };
  EXPECT_EQ(answers[0].judged, 1);
  const Compliance strict = compliance_of(answers, Strictness::strict);
  EXPECT_EQ(strict.prompts.all, 4);
  EXPECT_EQ(strict.prompts.kept, 2);
  EXPECT_EQ(strict.instructions.all, 7);
  EXPECT_EQ(strict.instructions.kept, 4);  // a: 2, b: the comma, d: 1
  EXPECT_DOUBLE_EQ(strict.prompts.share(), 0.5);
  EXPECT_TRUE(strict.prompts_between.contains(0.5));
  EXPECT_EQ(strict.by_kind.at("starts_with").kept, 1);
  EXPECT_EQ(strict.by_group.at("frame").all, 3);
  EXPECT_EQ(strict.by_source.size(), 1U);
  const Compliance loose = compliance_of(answers, Strictness::loose);
  EXPECT_EQ(loose.prompts.kept, 3);
  EXPECT_EQ(loose.instructions.kept, 5);
}

TEST(Compliance, OfNothingIsNothing) {
  const Compliance none = compliance_of({}, Strictness::strict);
  EXPECT_EQ(none.prompts.share(), 0);
  EXPECT_EQ(none.prompts_between.high, 1);
}

}  // namespace
}  // namespace tapir::evaluate
