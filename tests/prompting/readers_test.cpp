#include <gtest/gtest.h>

#include "prompting/prompts.h"

namespace tapir::prompting {
namespace {

struct Case {
  std::string reply;
  double a;
  double b;
};

TEST(PairScores, AreReadInEveryDress) {
  const std::vector<Case> cases = {
      {"Both fine.\n\nScore A: 8\nScore B: 6", 8, 6},
      {"Score A: 8\nScore B: 6.5\n\n", 8, 6.5},
      {"text\r\nScore A: 8\r\nScore B: 6\r\n", 8, 6},
      {"8 6.5\nA is better.", 8, 6.5},
      {"8, 6\nA is better.", 8, 6},
      {"\n\n 10 1 \nWhy.", 10, 1},
      {"**Score A:** 8/10\n**Score B:** 6/10", 8, 6},
      {"**Score A: 8**\n**Score B: 6**\n\nI hope this helps!", 8, 6},
      {"Score A\xEF\xBC\x9A 8\nScore B\xEF\xBC\x9A 6", 8, 6},
      {"- Answer A: 7 out of 10\n- Answer B: 9 out of 10", 7, 9},
      {"Assistant 1: 1 (wrong)\nAssistant 2: 3 - wrong, but tried", 1, 3},
      {"Final score of Answer A: 4\n\nFinal score of Answer B: 5.", 4, 5},
      {"score a = 4\nscore b = 5", 4, 5},
      {"So: Score A: 4, Score B: 5", 0, 0},  // prose before the label: see below
      {"Score A: 4, Score B: 5", 4, 5},
      {"Score A: 4 | Score B: 5", 4, 5},
      {"Score A: [[4]]\nScore B: [[5]]", 4, 5},
      {"# Score A: 4\n# Score B: 5", 4, 5},
      // The last pair counts: the first may be quoted from an answer.
      {"The answer claims\nScore A: 10\nScore B: 1\nwhich is a trick.\nScore A: 2\nScore B: 9", 2,
       9},
      {"3 4\nand then\nScore A: 5\nScore B: 6", 5, 6},
      {"3 4\nand then\n**Score A:** 5\n**Score B:** 6/10", 5, 6},
      {"3 4\nWhat follows is part of the answer:\nA: 5\nB: 6", 3, 4},
      {"Fine.\nA: 5\nB: 6", 5, 6},
      {"Assistant 1: 8/10\nAssistant 2: 9/10\nThe second one is better.", 8, 9},
  };
  for (const Case& one : cases) {
    const PairScores scores = read_pair_scores(one.reply);
    if (one.a == 0) {
      EXPECT_EQ(scores.failure, "unreadable") << one.reply;
      continue;
    }
    EXPECT_EQ(scores.failure, "") << one.reply;
    EXPECT_EQ(scores.a, one.a) << one.reply;
    EXPECT_EQ(scores.b, one.b) << one.reply;
  }
}

TEST(PairScores, AreNeverTheFirstNumbersOfTheText) {
  for (const std::string reply :
       {"", "   \n", "Answer A has 3 errors and answer B has 7.", "8", "8\n6", "8 6 4",
        "8/10 6/10 and so on", "Score A: 8", "Score B: 8\nScore A: 6",
        "Score A: eight\nScore B: six", "A: 10 - 2 = 8\nB: 5 - 3 = 2",
        "Assistant 1: 10 units\nAssistant 2: 8 units", "Score A: 8\nsome remark\nScore B: 6",
        "8 6 apples", "Score A: 8e1\nScore B: 6", "Score A: 7,5\nScore B: 6,5", "nan nan", "inf 3",
        "Score A: -\nScore B: -",
        // Choices of the instruction, results of the answers: no scores.
        "The question offers\nA: 3\nB: 5\nBoth answers choose B, which is right.",
        "The results are\nAnswer A: 3\nAnswer B: 8\nOnly the second one is right.",
        "They say A: 3, B: 5.\nA: 3, B: 5\nNeither is right."}) {
    const PairScores scores = read_pair_scores(reply);
    EXPECT_EQ(scores.failure, "unreadable") << reply;
    EXPECT_FALSE(scores.ok());
    EXPECT_FALSE(scores.a) << reply;
  }
}

TEST(PairScores, OutsideTheScaleAreOutOfRange) {
  for (const std::string reply : {"Score A: 11\nScore B: 6", "0 9\nbad", "Score A: 8\nScore B: -1",
                                  "85 90", "Score A: 0.5\nScore B: 10"}) {
    const PairScores scores = read_pair_scores(reply);
    EXPECT_EQ(scores.failure, "out_of_range") << reply;
    EXPECT_TRUE(scores.a && scores.b) << "what was read is kept for the record";
  }
}

TEST(Expansion, ComesWithoutItsDress) {
  for (const std::string reply :
       {"Add 3 and 4.", "  Add 3 and 4.\n", "New instruction: Add 3 and 4.",
        "**New Instruction:** Add 3 and 4.", "\"Add 3 and 4.\"",
        "### New Instruction\nAdd 3 and 4.", "Here is a brand-new instruction:\n\nAdd 3 and 4.",
        "<instruction>\nAdd 3 and 4.\n</instruction>", "```\nAdd 3 and 4.\n```",
        "<think>\nThe user wants <instruction>5</instruction>.\n</think>\n\nAdd 3 and 4.",
        "```text\nAdd 3 and 4.\n```", "Instruction:\n\"Add 3 and 4.\"",
        "\xE2\x80\x9C"
        "Add 3 and 4.\xE2\x80\x9D"}) {
    EXPECT_EQ(read_expansion(reply).text, "Add 3 and 4.") << reply;
    EXPECT_TRUE(read_expansion(reply).ok());
  }
}

TEST(Expansion, KeepsWhatBelongsToTheInstruction) {
  for (const std::string reply :
       {"Explain: why is the sky blue?", "Fix this:\n```\nx = 1\n```", "\"To be\" or \"not to be\"",
        "```python\nprint(1)\n```", "Surely: write an essay",
        "# Title\nWrite about the title above."}) {
    EXPECT_EQ(read_expansion(reply).text, reply);
  }
}

TEST(Expansion, FailuresHaveNames) {
  EXPECT_EQ(read_expansion("").failure, "empty");
  EXPECT_EQ(read_expansion("New instruction:").failure, "empty");
  EXPECT_EQ(read_expansion("I'm sorry, but I can't do that.").failure, "refusal");
  EXPECT_EQ(read_expansion("<think>\nWell, one could ask").failure, "unreadable");
  EXPECT_EQ(read_expansion("<think>Hm.</think>").failure, "empty");
  EXPECT_EQ(read_answer(" \n ").failure, "empty");
  EXPECT_EQ(read_answer(" 7 \n").text, "7");
}

TEST(Labels, AreReadBetweenTheTags) {
  const std::vector<std::string> labels = {"Math", "Common-Sense", "Code Generation"};
  EXPECT_EQ(read_label("<answer>Math</answer>", labels).text, "Math");
  EXPECT_EQ(
      read_label("I think <answer>x</answer> no: <ANSWER> **common sense** </ANSWER>.", labels)
          .text,
      "Common-Sense");
  EXPECT_EQ(read_label("code_generation", labels).text, "Code Generation");
  EXPECT_EQ(read_label("<answer>Cooking</answer>", labels).failure, "unknown_label");
  EXPECT_EQ(read_label("This is Math, I think.", labels).failure, "unreadable");
  EXPECT_EQ(read_label("<answer>Math", labels).failure, "unreadable");
  EXPECT_EQ(read_label("<answer></answer>", labels).failure, "unknown_label");
  EXPECT_EQ(read_label("  ", labels).failure, "empty");
}

TEST(Labels, ThatDifferInTheirSignsOnlyAreToldApart) {
  const std::vector<std::string> labels = {"C", "C++", "C#", "R & D"};
  for (const std::string& label : labels)
    EXPECT_EQ(read_label("<answer> " + label + " </answer>", labels).text, label);
  EXPECT_EQ(read_label("<answer>R&D</answer>", labels).text, "R & D");
  EXPECT_EQ(read_label("<answer>**C#**</answer>", labels).text, "C#");
  EXPECT_EQ(read_label("<answer>c</answer>", labels).failure, "unknown_label");
}

}  // namespace
}  // namespace tapir::prompting
