#include "difficulty/rubric_judge.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "rubric/read_rubric.h"
#include "shuffled_model.h"

namespace tapir::difficulty {
namespace {

using testing::fails;
using testing::says;
using testing::ShuffledModel;

Pair pair_of(const std::string& id, const std::string& teacher, const std::string& student) {
  Pair pair;
  pair.instruction.id = id;
  pair.instruction.messages = {{Role::user, "Question " + id}};
  pair.teacher_answer = teacher;
  pair.student_answer = student;
  pair.author = "student/s0";
  return pair;
}

rubric::Rubric rubric_of(const std::string& components) {
  return rubric::read_rubric(Json{{"components", Json::parse(components)}}, "test");
}

// "title" weighs 1, the judged "polite" 2.
const Rubrics kRubrics = {
    {"code", rubric_of(R"([{"kind": "title"}, {"kind": "words", "at_most": 3, "weight": 2}])")},
    {"both", rubric_of(R"([{"kind": "title"},
                           {"id": "polite", "kind": "judged", "weight": 2, "text": "It is polite."}])")}};

struct Sitting {
  RubricSummary summary;
  std::map<std::string, Judgment> judgments;
  std::size_t asked = 0;
};

Sitting sit(const std::vector<Pair>& pairs, const ShuffledModel::Answer& answer) {
  const auto prompts = prompting::PromptSet::load({});
  Sitting sitting;
  const auto keep = [&](const Judgment& judgment) {
    sitting.judgments[judgment.instruction_id] = judgment;
  };
  const auto judge = [&](llm::ChatModel* model) {
    sitting.summary =
        judge_by_rubric({kRubrics, prompts, model}, pairs, {}, {}, keep, silent_progress(), {});
  };
  if (answer) {
    ShuffledModel model(answer, 1);
    judge(&model);
    sitting.asked = model.asked().size();
  } else {
    judge(nullptr);
  }
  EXPECT_TRUE(sitting.summary.judged.ledger.balances());
  EXPECT_EQ(sitting.summary.judged.ledger.in, pairs.size());
  return sitting;
}

// Polite is what says please.
llm::ChatReply polite_or_not(const llm::ChatRequest& request) {
  const std::string& asked = request.messages.back().content;
  EXPECT_EQ(prompting::read_fence(asked, "components"), "polite: It is polite.");
  const bool polite = prompting::read_fence(asked, "answer")->find("please") != std::string::npos;
  return says(polite ? "It is.\npolite: met" : "It is not.\npolite: not met");
}

TEST(RubricJudge, CodeAloneNeedsNobody) {
  const Sitting sitting =
      sit({pair_of("code", "<<T>> x", "<<T>> x y z a"), pair_of("code2", "a", "b")}, nullptr);
  const Judgment& judgment = sitting.judgments.at("code");
  EXPECT_EQ(judgment.teacher_score, 10);
  EXPECT_EQ(judgment.student_score, 4) << "two of three parts of the weight are lost";
  EXPECT_NE(judgment.text.find("c2 (words, weight 2): met by the teacher"), std::string::npos)
      << judgment.text;
  EXPECT_EQ(sitting.judgments.at("code2").failure, "no_rubric");
  EXPECT_EQ(sitting.summary.judged.ledger.failed.at("no_rubric"), 1U);
}

TEST(RubricJudge, TheModelConfirmsWhatCodeCannotTell) {
  const Sitting sitting = sit(
      {pair_of("both", "<<T>> please", "<<T>> now"), pair_of("code", "<<T>>", "x")}, polite_or_not);
  EXPECT_EQ(sitting.asked, 2U) << "once for each answer";
  EXPECT_EQ(sitting.judgments.at("both").teacher_score, 10);
  EXPECT_EQ(sitting.judgments.at("both").student_score, 4);
  const ComponentDifficulty polite = sitting.summary.by_kind.at("judged");
  EXPECT_EQ(polite, (ComponentDifficulty{1, 1, 0, 1}));
  EXPECT_EQ(sitting.summary.by_kind.at("title"), (ComponentDifficulty{2, 2, 1, 1}));
  EXPECT_TRUE(sitting.summary.judged.complete);
}

TEST(RubricJudge, NobodyIsAskedAboutABlankAnswer) {
  const Sitting sitting = sit({pair_of("both", "<<T>> please", "")}, polite_or_not);
  EXPECT_EQ(sitting.asked, 1U);
  EXPECT_EQ(sitting.judgments.at("both").student_score, 1);
}

TEST(RubricJudge, WithoutAModelJudgedComponentsFailTheRow) {
  const Sitting sitting = sit({pair_of("both", "<<T>> please", "<<T>>")}, nullptr);
  EXPECT_EQ(sitting.judgments.at("both").failure, "needs_judge");
}

TEST(RubricJudge, UnreadableVerdictsAreAskedAgainThenFail) {
  const auto again = sit({pair_of("both", "please", "please")}, [](const auto& request) {
    if (request.attempt == 0) return says("Rather polite, I think.");
    EXPECT_TRUE(prompting::read_fence(request.messages.back().content, "complaint"));
    return says("polite: met");
  });
  EXPECT_EQ(again.asked, 4U);
  EXPECT_EQ(again.judgments.at("both").teacher_score, 7);
  const auto never =
      sit({pair_of("both", "please", "please")}, [](const auto&) { return says("Who knows."); });
  EXPECT_EQ(never.asked, 6U);
  EXPECT_EQ(never.judgments.at("both").failure, "unreadable");
  EXPECT_TRUE(never.summary.judged.complete);
}

TEST(RubricJudge, ATransientFailureLeavesTheRowForTheNextSitting) {
  const auto sitting = sit({pair_of("both", "please", "x"), pair_of("code", "<<T>>", "x")},
                           [](const auto&) { return fails(llm::Failure::timeout); });
  EXPECT_FALSE(sitting.summary.judged.complete);
  EXPECT_FALSE(sitting.judgments.contains("both")) << "nothing is kept that would settle it";
  EXPECT_TRUE(sitting.judgments.contains("code"));
}

}  // namespace
}  // namespace tapir::difficulty
