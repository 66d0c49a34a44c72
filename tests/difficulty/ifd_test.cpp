#include "difficulty/ifd.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "difficulty/difficulty.h"
#include "foreseeing_student.h"

namespace tapir::difficulty {
namespace {

student::TokenLosses losses(const std::vector<float>& logprobs) {
  student::TokenLosses out;
  out.logprobs = logprobs;
  return out;
}

TEST(Ifd, IsTheRatioOfTheMeanLosses) {
  EXPECT_NEAR(*ifd_of(losses({-1, -2}), losses({-2, -4})), 0.5, 1e-7);
  EXPECT_NEAR(*ifd_of(losses({-3, -3}), losses({-2, -2})), 1.5, 1e-7);
  EXPECT_NEAR(*ifd_of(losses({-1}), losses({-2, -100})), 0.5, 1e-7) << "tokens that both have";
  EXPECT_FALSE(ifd_of(losses({}), losses({-1})));
  EXPECT_FALSE(ifd_of(losses({-1}), losses({})));
  EXPECT_FALSE(ifd_of(losses({-1}), losses({0})));
}

// Foresees an answer the better the more of its letters stand in the instruction.
class LetterStudent final : public testing::ForeseeingStudent {
  student::TokenLosses losses_of(const Example& example) const override {
    student::TokenLosses row;
    row.id = example.id;
    const std::string& prompt = example.segments.front().text;
    for (const char c : example.segments.back().text)
      row.logprobs.push_back(prompt.find(c) == std::string::npos ? -2.0F : -1.0F);
    return row;
  }
};

AnsweredRow row_of(int number, const std::string& prompt, const std::string& answer) {
  Instruction instruction;
  instruction.id = std::string("row-").append(std::to_string(number));
  instruction.messages = {{Role::user, prompt}};
  return {instruction, answer};
}

TEST(Ifd, IsMeasuredForEveryRow) {
  std::vector<AnsweredRow> rows = {row_of(0, "abcd", "abcd"), row_of(1, "abcd", "abxy"),
                                   row_of(2, "abcd", "wxyz"), row_of(3, "abcd", "")};
  for (int i = 4; i < 200; ++i) rows.push_back(row_of(i, "a", "ab"));
  std::vector<Fit> fits;
  std::vector<std::string> failed;
  const auto keep = [&](const Fit& fit) { fits.push_back(fit); };
  const auto fail = [&](const std::string& id) { failed.push_back(id); };
  EXPECT_TRUE(measure_ifd(LetterStudent(), rows, "student/s0", keep, fail, silent_progress(), {}));
  ASSERT_EQ(fits.size(), 199U);
  EXPECT_EQ(failed, std::vector<std::string>{"row-3"});
  EXPECT_NEAR(*fits[0].ifd, 0.5, 1e-7);
  EXPECT_NEAR(*fits[1].ifd, 0.75, 1e-7);
  EXPECT_NEAR(*fits[2].ifd, 1.0, 1e-7);
  EXPECT_EQ(fits[0].orders, 0);
  EXPECT_EQ(fits[0].difficulty(), fits[0].ifd);
  EXPECT_EQ(fits[0].author, "student/s0");

  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(measure_ifd(LetterStudent(), rows, "student/s0", keep, fail, silent_progress(),
                           stop.get_token()));
  EXPECT_EQ(fits.size(), 199U);
}

Fit fit(int number, double ifd) {
  Fit fit;
  fit.instruction_id = std::string("row-").append(std::to_string(number));
  fit.ifd = ifd;
  return fit;
}

TEST(Ifd, KeepsTheShareWithTheHighestRatiosBelowOne) {
  std::vector<Fit> fits;
  for (int i = 0; i < 10; ++i) fits.push_back(fit(i, 0.1 * i));  // 0 .. 0.9
  fits[9].ifd = 1.2;
  SelectOptions options;
  options.ifd_share = 0.3;
  EXPECT_EQ(hard_of(fits, options), (std::set<std::string>{"row-8", "row-7", "row-6"}));
  options.ifd_share = 1;
  EXPECT_EQ(hard_of(fits, options).size(), 9U) << "above 1 the instruction does not help";
  fits[7].ifd = fits[6].ifd;
  options.ifd_share = 0.2;
  EXPECT_EQ(hard_of(fits, options), (std::set<std::string>{"row-8", "row-7"}));
  EXPECT_TRUE(hard_of({}, options).empty());
}

TEST(HardOf, JudgedFitsAreThoseAboveTheThreshold) {
  std::vector<Fit> fits(3);
  for (int i = 0; i < 3; ++i) {
    fits[i].instruction_id = std::string("row-").append(std::to_string(i));
    fits[i].teacher_score = 5 + i;
    fits[i].student_score = 4;
  }
  EXPECT_EQ(hard_of(fits, {2}), std::set<std::string>{"row-2"});
}

}  // namespace
}  // namespace tapir::difficulty
