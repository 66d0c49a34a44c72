// Answering and judging with models that answer in any order, and fail.
#include "evaluate/mt_bench_ask.h"

#include <array>
#include <mutex>

#include <gmock/gmock.h>

#include "base/strings.h"
#include "error_of.h"
#include "prompting/prompts.h"
#include "shuffled_model.h"

namespace tapir::evaluate {
namespace {

using ::testing::ElementsAre;
using testing::fails;
using ::testing::HasSubstr;
using testing::says;
using testing::ShuffledModel;

std::vector<MtQuestion> questions() {
  return {{1, "writing", {"w1", "w2"}, {}, {}},
          {2, "math", {"m1", "m2"}, {"rm1", "rm2"}, {}},
          {3, "stem", {"s1", "s2"}, {}, 0.3}};
}

MtAnswered answered(ShuffledModel& model, const MtAnswerOptions& options = {}) {
  return answer_mt_bench(model, "m", questions(), options, silent_progress(), {});
}

TEST(MtBenchAnswer, TheSecondTurnSeesTheModelsOwnFirstAnswer) {
  ShuffledModel model(
      [](const llm::ChatRequest& request) {
        return says("answer to " + request.messages.back().content);
      },
      3);
  const MtAnswered out = answered(model);
  ASSERT_EQ(out.answers.size(), 3U);
  EXPECT_TRUE(out.complete);
  EXPECT_EQ(out.answers[1].question, 2);
  EXPECT_EQ(out.answers[1].model, "m");
  EXPECT_THAT(out.answers[1].turns, ElementsAre("answer to m1", "answer to m2"));
  std::map<std::string, double> temperatures;
  for (const llm::ChatRequest& request : model.asked()) {
    temperatures[request.messages.front().content] = request.sampling.temperature;
    EXPECT_EQ(request.sampling.max_tokens, 1024);
    if (request.messages.size() == 1) continue;
    ASSERT_EQ(request.messages.size(), 3U);
    EXPECT_EQ(request.messages[1].role, Role::assistant);
    EXPECT_EQ(request.messages[1].content, "answer to " + request.messages[0].content);
  }
  EXPECT_EQ(model.asked().size(), 6U);
  EXPECT_EQ(temperatures, (std::map<std::string, double>{{"w1", 0.7}, {"m1", 0}, {"s1", 0.3}}));
}

TEST(MtBenchAnswer, CutAnswersCountAndFailuresAreCountedByReason) {
  ShuffledModel model(
      [](const llm::ChatRequest& request) {
        const std::string& last = request.messages.back().content;
        llm::ChatReply reply = says("half");
        if (last == "w2") reply.failure = llm::Failure::length;
        return last == "m2" ? fails(llm::Failure::content_filter) : reply;
      },
      3);
  const MtAnswered out = answered(model, {.temperature = 0.5});
  EXPECT_TRUE(out.complete);
  EXPECT_EQ(out.answers.size(), 2U);
  EXPECT_EQ(out.truncated, 1);
  EXPECT_EQ(out.failed, (std::map<std::string, std::int64_t>{{"content_filter", 1}}));
  for (const llm::ChatRequest& request : model.asked())
    EXPECT_EQ(request.sampling.temperature, 0.5);
}

TEST(MtBenchAnswer, WhatMayPassLeavesTheWorkIncomplete) {
  ShuffledModel model(
      [](const llm::ChatRequest& request) {
        return request.messages.size() > 1 ? fails(llm::Failure::server_error) : says("x");
      },
      3);
  const MtAnswered out = answered(model);
  EXPECT_FALSE(out.complete);
  EXPECT_TRUE(out.answers.empty());
  EXPECT_TRUE(out.failed.empty());
}

prompting::MtPrompts prompts() {
  return prompting::MtPrompts::ours(prompting::PromptSet::load({}));
}

std::vector<MtAnswer> answers(const std::string& model) {
  return {{1, model, {model + " w1", model + " w2"}, "f:1"},
          {2, model, {model + " m1", model + " m2"}, "f:2"}};
}

const MtReferences kReferences = {{1, {"x", "y"}}, {2, {"ref m1", "ref m2"}}};

TEST(MtBenchJudge, ReferencesAreShownWhereTheCategoryNeedsThem) {
  const auto tasks = single_tasks(questions(), answers("a"), kReferences, prompts(), 2);
  ASSERT_EQ(tasks.size(), 8U);
  EXPECT_EQ(tasks[0].prompt.name, "tapir-single-v1");
  EXPECT_EQ(tasks[1].prompt.name, "tapir-single-v1-multi-turn");
  EXPECT_EQ(tasks[2].prompt.name, "tapir-single-math-v1");
  EXPECT_EQ(tasks[3].prompt.name, "tapir-single-math-v1-multi-turn");
  const std::string& first = tasks[2].prompt.messages.back().content;
  EXPECT_THAT(first, HasSubstr("ref m1"));
  EXPECT_THAT(first, ::testing::Not(HasSubstr("m2")));
  const std::string& second = tasks[3].prompt.messages.back().content;
  for (const char* part : {"m1", "a m1", "m2", "a m2", "ref m1", "ref m2"})
    EXPECT_THAT(second, HasSubstr(part));
  EXPECT_EQ(tasks[4].repeat, 1);
  const auto complaint = testing::complaint_of(ErrorKind::data, [] {
    return single_tasks(std::vector<MtQuestion>{}, answers("a"), {}, prompts(), 1);
  });
  EXPECT_THAT(complaint, HasSubstr("f:1: question 1 is not among the questions"));
}

MtGraded graded(ShuffledModel& judge, const std::vector<MtGradeTask>& tasks, int attempts) {
  return grade_mt_bench(judge, tasks, {.max_attempts = attempts}, silent_progress(), {});
}

TEST(MtBenchJudge, AsksAgainWhileNothingCanBeReadAndEveryRepetitionAnew) {
  ShuffledModel judge(
      [](const llm::ChatRequest& request) {
        const bool math = request.messages.back().content.find("a m1") != std::string::npos;
        if (math && request.attempt % 100 < 2) return says("hm");
        return says("Rating: [[" + std::to_string(1 + request.attempt) + "]]");
      },
      5);
  const auto tasks = single_tasks(questions(), answers("a"), {}, prompts(), 2);
  const MtGraded out = graded(judge, tasks, 3);
  EXPECT_TRUE(out.complete);
  EXPECT_EQ(out.grades[0]->rating, 1);
  EXPECT_EQ(out.grades[2]->rating, 3);    // the third attempt
  EXPECT_EQ(out.grades[4]->rating, 101);  // the repetition's first
  EXPECT_EQ(out.grades[6]->rating, 103);
  for (const llm::ChatRequest& request : judge.asked()) {
    EXPECT_EQ(request.sampling.temperature, 0);
    EXPECT_EQ(request.sampling.max_tokens, 2048);
  }
  ShuffledModel vague([](const llm::ChatRequest&) { return says("good, [[A]]"); }, 5);
  const MtGraded unread = graded(vague, tasks, 2);
  EXPECT_TRUE(unread.complete);
  EXPECT_EQ(unread.grades[0]->failure, "unreadable");
  EXPECT_EQ(vague.asked().size(), 16U);
  const auto row = single_row(tasks[7], *unread.grades[7], {"j", "gpt-4", 1.5});
  EXPECT_EQ(row["score"], -1);
  EXPECT_EQ(row["judgment"], "good, [[A]]");
  EXPECT_EQ(row["failure"], "unreadable");
  EXPECT_EQ(row["repeat"], 1);
}

TEST(MtBenchJudge, ACutJudgmentMayHaveItsRating) {
  const auto tasks = single_tasks(questions(), answers("a"), {}, prompts(), 1);
  ShuffledModel judge(
      [](const llm::ChatRequest& request) {
        llm::ChatReply reply = fails(llm::Failure::length);
        const bool second = request.messages.back().content.find("[turn 2]") != std::string::npos;
        reply.text = second ? "[[7]] because" : "because";
        return reply;
      },
      5);
  const MtGraded out = graded(judge, tasks, 1);
  EXPECT_TRUE(out.complete);
  EXPECT_EQ(out.grades[0]->failure, "length");
  EXPECT_EQ(out.grades[1]->rating, 7);
  ShuffledModel away([](const llm::ChatRequest&) { return fails(llm::Failure::timeout); }, 5);
  EXPECT_FALSE(graded(away, tasks, 1).complete);
}

TEST(MtBenchJudge, RowsAreReadAsTheyWereWritten) {
  const auto tasks = single_tasks(questions(), answers("a"), kReferences, prompts(), 1);
  const MtGrade grade{"fine. [[8]]", 8.0, {}, ""};
  const OrderedJson row = single_row(tasks[3], grade, {"judge-1", "gpt-4", 2.5});
  EXPECT_EQ(row["user_prompt"], tasks[3].prompt.messages.back().content);
  const MtJudgment read = read_mt_judgment(Json::parse(row.dump()), MtScoreFrom::recorded, "f:1");
  EXPECT_EQ(read.question, 2);
  EXPECT_EQ(read.turn, 2);
  EXPECT_EQ(read.model, "a");
  EXPECT_EQ(read.judge, "judge-1");
  EXPECT_EQ(read.score, 8);
  EXPECT_TRUE(read.rereads);
  EXPECT_EQ(read.reference_set, "gpt-4");
  EXPECT_FALSE(read.wrong_reference);
  const OrderedJson refused =
      single_row(tasks[0], {"", {}, {}, "content_filter"}, {"j", "none", 0});
  EXPECT_EQ(refused["judgment"], "$ERROR$");
  EXPECT_EQ(refused["score"], -1);
}

TEST(MtBenchJudge, PairsAreComparedInBothOrders) {
  const auto tasks = pair_tasks(questions(), answers("a"), answers("b"), kReferences, prompts());
  ASSERT_EQ(tasks.size(), 8U);
  EXPECT_EQ(tasks[0].prompt.name, "tapir-pair-v2");
  EXPECT_EQ(tasks[7].prompt.name, "tapir-pair-math-v1-multi-turn");
  // Prefers whoever is shown first on the first question, and model b on the second.
  ShuffledModel judge(
      [](const llm::ChatRequest& request) {
        const std::string& text = request.messages.back().content;
        if (text.find("w1") != std::string::npos) return says("[[A]]");
        return says(text.find("b m1") < text.find("a m1") ? "[[A]]" : "[[B]]");
      },
      5);
  const MtGraded out = graded(judge, tasks, 1);
  ASSERT_TRUE(out.complete);
  const auto row_of = [&](std::size_t at) {
    const std::array<MtGradeTask, 2> both = {tasks[at], tasks[at + 1]};
    const std::array<MtGrade, 2> said = {*out.grades[at], *out.grades[at + 1]};
    return Json::parse(pair_row(both, said, {"j", "gpt-4", 0}).dump());
  };
  const MtPair biased = read_mt_pair(row_of(0), "f:1");
  EXPECT_EQ(biased.game_1, MtWinner::model_1);
  EXPECT_EQ(biased.game_2, MtWinner::model_2);
  const MtPair clear = read_mt_pair(row_of(4), "f:1");
  EXPECT_EQ(clear.question, 2);
  EXPECT_EQ(clear.model_1, "a");
  EXPECT_EQ(clear.game_1, MtWinner::model_2);
  EXPECT_EQ(clear.game_2, MtWinner::model_2);
}

}  // namespace
}  // namespace tapir::evaluate
