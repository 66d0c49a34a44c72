#include "evaluate/outputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tapir::evaluate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> different(int count, const std::string& of = "answer number ") {
  std::vector<std::string> answers;
  for (int i = 0; i < count; ++i) answers.push_back(of + std::to_string(100 + i));
  return answers;
}

OutputCheck check_of(const std::vector<std::string>& answers) {
  OutputCheck check;
  check.who = "final";
  check.own = look_at(answers);
  check.asked = check.own.answers;
  return check;
}

TEST(Outputs, AreCountedWithWhiteSpaceFolded) {
  const std::vector<std::string> answers = {"yes", " yes\n", "no", "", "a  b", "a b", "a\nb"};
  const Outputs outputs = look_at(answers);
  EXPECT_EQ(outputs.answers, 7);
  EXPECT_EQ(outputs.blank, 1);
  EXPECT_EQ(outputs.distinct, 4);
  EXPECT_EQ(outputs.duplicate, 5);
  EXPECT_EQ(outputs.commonest, 3);
  EXPECT_EQ(outputs.commonest_text, "a b");
  EXPECT_EQ(outputs.median_length, 3);
  EXPECT_EQ(look_at({}).commonest_share(), 0);
}

TEST(Outputs, DifferentAnswersGiveNoWarning) {
  OutputCheck check = check_of(different(50));
  EXPECT_THAT(output_warnings(check), IsEmpty());
  check.reference = look_at(different(50, "some answer "));
  check.before = check.reference;
  EXPECT_THAT(output_warnings(check), IsEmpty());
}

TEST(Outputs, AModelThatAlwaysSaysTheSameIsNamed) {
  OutputCheck check = check_of(std::vector<std::string>(805, "This text wins every comparison."));
  EXPECT_THAT(output_warnings(check),
              ElementsAre("final: 100.0 % of 805 answers are the same text: \"This text wins every "
                          "comparison.\""));
  check.reference = look_at(different(805, "an answer of its own, number "));
  EXPECT_THAT(output_warnings(check), ElementsAre(HasSubstr("are the same text")));
}

TEST(Outputs, RightAnswersThatAreAlikeAreNoSign) {
  std::vector<std::string> yes_or_no(60, "yes");
  yes_or_no.resize(100, "no");
  OutputCheck check = check_of(yes_or_no);
  check.reference = look_at(yes_or_no);
  EXPECT_THAT(output_warnings(check), IsEmpty());
  check.reference = look_at(different(100, ""));
  EXPECT_THAT(output_warnings(check), ElementsAre(HasSubstr("60.0 % of 100 answers")));
}

TEST(Outputs, DuplicatesBlanksDriftAndMissingRowsAreNamed) {
  const std::vector<std::string> once = different(40);
  std::vector<std::string> twice = once;
  twice.insert(twice.end(), once.begin(), once.end());
  EXPECT_THAT(output_warnings(check_of(twice)), ElementsAre(HasSubstr("given to another row too")));

  std::vector<std::string> blanks = different(40);
  blanks.resize(48);
  OutputCheck check = check_of(blanks);
  check.asked = 50;
  EXPECT_THAT(output_warnings(check), ElementsAre("final: 2 of 50 rows have no answer",
                                                  "final: 8 of 48 answers are blank"));

  check = check_of(different(40, "a"));
  check.before = look_at(different(40, "aaaaaaaaaa"));
  EXPECT_THAT(
      output_warnings(check),
      ElementsAre("final: the median answer has 4 characters, that of the round before 13"));
  check.before.reset();
  check.reference = look_at(different(40, "aaaaaaaaaa"));
  EXPECT_THAT(output_warnings(check), ElementsAre(HasSubstr("that of the right answers 13")));
}

TEST(Outputs, FewAnswersSayNothing) {
  EXPECT_THAT(output_warnings(check_of(std::vector<std::string>(19, "x"))), IsEmpty());
}

TEST(Signs, AJudgeThatGoesByPlaceAndCopiesOfTheExam) {
  EXPECT_FALSE(position_warning(100, 0.7));
  EXPECT_FALSE(position_warning(19, 0.1));
  EXPECT_THAT(position_warning(100, 0.4).value(), HasSubstr("in only 40.0 % of 100 pairs"));
  EXPECT_FALSE(near_copy_warning(1000, 0));
  EXPECT_EQ(near_copy_warning(1000, 2).value(),
            "2 of 1000 rows to train on are near-copies of items of an evaluation set");
}

}  // namespace
}  // namespace tapir::evaluate
