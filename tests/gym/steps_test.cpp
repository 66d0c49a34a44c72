// How answers are judged, by example: steps given the student's own value before, partial credit,
// programs that are run.
#include <gtest/gtest.h>

#include "gym/families/pipe_program.h"
#include "gym/family.h"

namespace tapir::gym {
namespace {

Verdict judged(std::string_view prompt, std::string_view response) {
  const auto verdict = judge_text(prompt, response);
  EXPECT_TRUE(verdict.has_value()) << prompt;
  return verdict.value_or(Verdict{});
}

void expect(std::string_view prompt, std::string_view response, double correct, double steps,
            double format) {
  SCOPED_TRACE(std::string(prompt) + " -> " + std::string(response));
  const Verdict verdict = judged(prompt, response);
  EXPECT_NEAR(verdict.correct, correct, 1e-12);
  EXPECT_NEAR(verdict.steps, steps, 1e-12);
  EXPECT_NEAR(verdict.format, format, 1e-12);
}

TEST(Verdicts, ScoreAsTheGymDefines) {
  EXPECT_DOUBLE_EQ((Verdict{1, 1, 1, ""}.score()), 10);
  EXPECT_DOUBLE_EQ((Verdict{0, 0, 0, ""}.score()), 1);
  EXPECT_NEAR((Verdict{0.2, 1, 1, ""}.score()), 5.68,
              1e-9);  // the best that a wrong answer can get
}

TEST(Steps, FollowFromTheStudentsOwnValue) {
  const std::string_view add = "add:b4a7+B2A5";
  expect(add, "a7+A5+0=12;b4+B2+1=07;#72", 1, 1, 1);
  expect(add, "#72", 1, 1, 1);  // no steps: as good as the result
  expect(add, "a7+A5+0=02;b4+B2+0=06;#62", 0.1, 0.5,
         1);  // the carry is lost, the rest follows from that
  expect(add, "a7+A5+0=13;b4+B2+1=07;#73", 0, 0.5, 1);
  expect(add, "a7+A5+0=12;#72", 1, 0.5, 1);
  expect(add, "a7+A5+0=12;b4+B2+1=07;b4+B2+1=07;#72", 1, 2.0 / 3, 1);
  expect(add, "a7+A5+0=12;b4+B2+1=07", 0, 1, 0);  // cut off
  expect(add, "#172", 0.2 * 2 / 3, 0.2 * 2 / 3, 1);
  expect(add, "#7 2", 1, 1, 1);
  expect(add, "#seventy", 0, 0, 0);
}

TEST(Steps, OtherBasesWriteTheSumInBoth) {
  expect("base6:b3a4+B2A5", "a4+A5+0=09:13;b3+B2+1=06:10;#103", 1, 1, 1);
  expect("base6:b3a4+B2A5", "a4+A5+0=09:09;b3+B2+0=05:05;#59", 0, 0.5, 1);
}

TEST(Steps, RunningSumAndRunningTruth) {
  expect("sum mod ten:7 b3 c9", "7 b3+7=0 c9+0=9 #9", 1, 1, 1);
  expect("sum mod ten:7 b3 c9", "7 b3+7=1 c9+1=0 #0", 0, 2.0 / 3, 1);
  const std::string_view logic = "left to right:T b and not T c or T";
  expect(logic, "T b and not T:F,T=F c or T:T,F=T #T", 1, 1, 1);
  expect(logic, "T b and not T:F,T=T c or T:T,T=T #T", 1, 2.0 / 3, 1);
  expect(logic, "#F", 0, 0, 1);
}

TEST(Steps, CupsAndVariables) {
  const std::string_view cups = "cups:A4B7C2 swap a13 b23 ask:2";
  expect(cups, "a13:C2D2B7E7A4F4 b23:D2G2F4H4E7I7 ?2:H4 #4", 1, 1, 1);
  expect(cups, "a13:C2D2B4E4A7F7 b23:D2G2F7H7E4I4 ?2:H7 #7", 0, 2.0 / 3, 1);
  expect("run mod ten:a=3;b=a+4;c=a+b;?c", "a=3:A3;b=a3+4:B7;c=a3+b7:C0;?c:C0;#0", 1, 1, 1);
  expect("run mod ten:a=3;b=a+4;c=a+b;?c", "a=3:A3;b=a3+4:B8;c=a3+b8:C1;?c:C1;#1", 0, 3.0 / 4, 1);
  expect("run mod ten:a=3;b=a;?b", "a=3:A3;b=a3:B3;?b:B3;#3", 1, 1, 1);
  // Asked for before the variable has a value: no step, and what it skipped is taken for known.
  expect("run mod ten:a=3;b=a+4;c=a+b;?c", "?c:C0;?c:C0;c=a3+b7:C0;?c:C0;#0", 1, 2.0 / 4, 1);
}

TEST(DebugToken, CountsTheWordsThatAreRight) {
  expect("fix: pirnt x while y", "print x while y", 1, 1, 1);
  expect("fix: pirnt x while y", "pirnt x while y", 0.15, 0.15, 1);
  expect("fix: pirnt x while y", "print x", 0.1, 0.1, 1);
  expect("fix: pirnt x while y", "say x", 0, 0, 0);
}

TEST(Synth, RunsTheProgram) {
  const std::string_view largest = "list program: find the largest";
  expect(largest, "max", 1, 1, 1);
  expect(largest, "sort|rev|take1", 1, 1, 1);  // another way to the same result
  expect(largest, "rev|take1", 0, 0, 1);
  expect(largest, "maximum", 0, 0, 0);
  expect("list program: drop the odd ones, keep those above 4", "keep>5|odd-", 1, 1, 1);
  expect("list program: drop the odd ones, keep those above 4", "keep>6|odd-", 0, 0, 1);
}

TEST(Synth, InputsKillEveryMutantThatAnyCandidateTellsApart) {
  for (const std::string_view text :
       {"map*2|odd-|sum", "sort|take3|keep<5", "rev|skip2|map+3|max", "len"}) {
    const PipeProgram program = *read_program(text);
    EXPECT_EQ(to_string(program), text);
    const std::vector<Numbers> inputs = killing_inputs(program);
    EXPECT_LT(inputs.size(), 40U);
    int killed = 0;
    const auto differs = [&](const PipeProgram& mutant, const Numbers& input) {
      return run_program(mutant, input) != run_program(program, input);
    };
    for (const PipeProgram& mutant : one_operation_mutants(program)) {
      bool can_be_killed = false;
      bool is_killed = false;
      for (const Numbers& input : candidate_inputs()) can_be_killed |= differs(mutant, input);
      for (const Numbers& input : inputs) is_killed |= differs(mutant, input);
      EXPECT_EQ(can_be_killed, is_killed) << to_string(mutant);
      killed += is_killed ? 1 : 0;
    }
    EXPECT_GT(killed, 50);
  }
}

TEST(Synth, ProgramsAreReadWholeOrNotAtAll) {
  for (const std::string_view text :
       {"", "|", "max|", "|max", "map+", "map+0", "map*1", "take", "sort sort x", "map+12"}) {
    EXPECT_FALSE(read_program(text).has_value()) << text;
  }
  std::string long_program = "rev";
  for (int i = 0; i < 16; ++i) long_program += "|rev";
  EXPECT_FALSE(read_program(long_program).has_value());
}

}  // namespace
}  // namespace tapir::gym
