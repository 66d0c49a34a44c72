#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gym/families/families.h"
#include "gym/families/kb_world.h"

namespace tapir::gym {
namespace {

const Family& kb = kb_family();
constexpr std::string_view kOneHop = "Who is anna's teacher?";
constexpr std::string_view kTwoHops = "Who is tina's teacher's teacher?";
constexpr std::string_view kDistracted =
    "Who is nora's teacher's teacher's friend, not dirk's teacher?";

// The world is part of the base student's skill: it never changes.
TEST(Kb, TheWorldIsFixed) {
  EXPECT_EQ(kb.teacher(kOneHop, Style::terse), "# emma");
  EXPECT_EQ(kb.teacher(kOneHop, Style::steps), "from anna, teacher emma # emma");
  EXPECT_EQ(kb.teacher(kTwoHops, Style::steps), "from tina, teacher olga, teacher bert # bert");
  EXPECT_EQ(kb.teacher(kDistracted, Style::steps),
            "from nora, teacher egon, teacher sven, friend paul # paul");
}

TEST(Kb, EveryRelationLeadsToEveryPersonOnceAndToNobodyHimself) {
  ASSERT_EQ(std::set<std::string>(kb_people().begin(), kb_people().end()).size(), 30u);
  ASSERT_EQ(kb_relations().size(), 3u);
  for (std::size_t relation = 0; relation < 3; ++relation) {
    std::set<std::size_t> reached;
    for (std::size_t person = 0; person < 30; ++person) {
      EXPECT_NE(kb_fact(person, relation), person);
      reached.insert(kb_fact(person, relation));
    }
    EXPECT_EQ(reached.size(), 30u);
  }
}

TEST(Kb, OneHopQuestionsAreOpenFacts) {
  EXPECT_TRUE(kb_is_open_fact(kOneHop));
  EXPECT_FALSE(kb_is_open_fact(kTwoHops));
  EXPECT_FALSE(kb_is_open_fact("Who is anna?"));
  EXPECT_FALSE(kb_is_open_fact(""));
  std::set<std::string> asked;
  RandomStream stream(1, "test", "kb");
  for (int i = 0; i < 2000; ++i) asked.insert(kb.canonical(kb.make(1, stream)));
  EXPECT_EQ(asked.size(), 90u);
}

TEST(Kb, DistractorsDoNotChangeWhatIsAsked) {
  EXPECT_EQ(kb.canonical(kDistracted), kb.canonical("Who is nora's teacher's teacher's friend?"));
  EXPECT_EQ(kb.level("Who is nora's teacher's teacher's friend?"), 3);
  EXPECT_EQ(kb.level(kDistracted), 4);
  EXPECT_NE(kb.canonical(kOneHop), kb.canonical("Who is anna's boss?"));
}

TEST(Kb, StepsCountFromTheStudentsOwnPerson) {
  const auto steps = [](std::string_view answer) { return kb.judge(kTwoHops, answer).steps; };
  const std::string& teacher_of_zoe = kb_people()[kb_fact(*index_of(kb_people(), "zoe"), 2)];
  EXPECT_DOUBLE_EQ(steps("from tina, teacher olga, teacher bert # bert"), 1);
  // A wrong first hop and a second that follows from it.
  EXPECT_DOUBLE_EQ(steps("from tina, teacher zoe, teacher " + teacher_of_zoe + " # bert"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(steps("from tina, teacher olga # bert"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(steps("from tina, teacher olga, teacher bert, boss anna # bert"), 3.0 / 4);
  EXPECT_DOUBLE_EQ(steps("# bert"), 1);
  EXPECT_DOUBLE_EQ(steps("# anna"), 0);
}

TEST(Kb, ARightChainWithAWrongResultIsWrong) {
  const Verdict verdict = kb.judge(kTwoHops, "from tina, teacher olga, teacher bert # olga");
  EXPECT_EQ(verdict.correct, 0);
  EXPECT_EQ(verdict.steps, 1);
  EXPECT_LT(verdict.score(), 6);
  EXPECT_EQ(verdict.words, "The person asked for is bert, not olga.");
}

TEST(Kb, UnreadableAnswersAndPrompts) {
  for (const std::string_view answer : {"", "bert", "#", "# nobody", "# bert olga",
                                        "from tina # bert # bert", "from tina, olga # bert"}) {
    EXPECT_EQ(kb.judge(kTwoHops, answer).format, 0) << answer;
  }
  for (const std::string_view prompt :
       {"", "Who is tina?", "Who is tina's uncle?", "Who is tina's boss", "who is tina's boss?",
        "Who is tina's boss, not tina's friend?", "Who is tina's boss, not anna's friend?",
        "Who is tina's boss's boss's boss's boss's boss's boss?"}) {
    EXPECT_FALSE(kb.accepts(prompt)) << prompt;
  }
}

}  // namespace
}  // namespace tapir::gym
