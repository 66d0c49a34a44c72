// Answering and judging for AlpacaEval through a model of the tests.
#include "evaluate/alpaca_ask.h"

#include <cmath>

#include <gmock/gmock.h>

#include "base/strings.h"
#include "evaluate/alpaca_judge.h"
#include "shuffled_model.h"

namespace tapir::evaluate {
namespace {

using prompting::PairTemplate;
using ::testing::ElementsAre;
using testing::fails;
using testing::says;
using testing::ShuffledModel;

// As an endpoint ends a reply of one token.
llm::ChatReply one_token(const std::string& text, std::vector<llm::TokenLogprob> top) {
  llm::ChatReply reply = fails(llm::Failure::length);
  reply.text = text;
  reply.top_logprobs = {std::move(top)};
  return reply;
}

const std::string& user_text(const llm::ChatRequest& request) {
  return request.messages.back().content;
}

bool mentions(const llm::ChatRequest& request, const std::string& text) {
  return user_text(request).find(text) != std::string::npos;
}

AlpacaAnswers answer(ShuffledModel& model, const std::vector<std::string>& instructions) {
  return answer_alpaca(model, instructions, {}, silent_progress(), {});
}

TEST(AlpacaAnswer, CutAnswersAreAnswersAndFailuresAreNot) {
  ShuffledModel model(
      [](const llm::ChatRequest& request) {
        if (user_text(request) == "b") {
          llm::ChatReply cut = fails(llm::Failure::length);
          cut.text = "half an ans";
          return cut;
        }
        if (user_text(request) == "c") return fails(llm::Failure::content_filter);
        return says(user_text(request) == "d" ? " " : " yes\n");
      },
      1);
  const AlpacaAnswers answers = answer(model, {"a", "b", "c", "d"});
  EXPECT_TRUE(answers.complete);
  EXPECT_EQ(answers.outputs[0], "yes");
  EXPECT_EQ(answers.outputs[1], "half an ans");
  EXPECT_EQ(answers.outputs[2], std::nullopt);
  EXPECT_EQ(answers.outputs[3], "");
  EXPECT_EQ(answers.truncated, 1);
  EXPECT_EQ(answers.empty, 1);
  EXPECT_EQ(answers.failed.at("content_filter"), 1);
}

TEST(AlpacaAnswer, ATransientFailureLeavesItIncomplete) {
  ShuffledModel model(
      [](const llm::ChatRequest& request) {
        return user_text(request) == "b" ? fails(llm::Failure::server_error) : says("yes");
      },
      1);
  const AlpacaAnswers answers = answer(model, {"a", "b"});
  EXPECT_FALSE(answers.complete);
  EXPECT_TRUE(answers.failed.empty());
}

// Instructions of which the first is shown as they are and the second switched.
std::vector<std::string> both_orders() {
  std::string plain, turned;
  for (int i = 0; plain.empty() || turned.empty(); ++i) {
    const std::string instruction = "question " + std::to_string(i);
    (is_switched(instruction) ? turned : plain) = instruction;
  }
  return {plain, turned};
}

std::vector<AlpacaPair> pairs() {
  std::vector<AlpacaPair> made;
  for (const std::string& instruction : both_orders())
    made.push_back({instruction, "BASE", "MINE"});
  return made;
}

AlpacaJudgments judge(ShuffledModel& model, const std::vector<AlpacaPair>& asked,
                      const AlpacaJudgeOptions& options = {}) {
  return judge_alpaca(model, asked, PairTemplate::built_in(), options, silent_progress(), {});
}

// Prefers "MINE" with probability 0.8, wherever it is shown.
llm::ChatReply prefers_mine(const llm::ChatRequest& request) {
  const bool mine_first = user_text(request).find("MINE") < user_text(request).find("BASE");
  const double first = mine_first ? 0.8 : 0.2;
  return one_token(mine_first ? "m" : "M", {{"m", std::log(first)}, {"M", std::log(1 - first)}});
}

TEST(AlpacaJudge, TheOrderShownDoesNotMatter) {
  ShuffledModel model(&prefers_mine, 1);
  const AlpacaJudgments judgments = judge(model, pairs());
  EXPECT_TRUE(judgments.complete);
  for (const AlpacaJudged& row : judgments.rows) EXPECT_NEAR(*row.preference, 1.8, 1e-12);
  EXPECT_EQ(judgments.by_letter, 0);
  ASSERT_EQ(model.asked().size(), 2U);
  for (const llm::ChatRequest& request : model.asked()) {
    EXPECT_EQ(request.sampling.max_tokens, 1);
    EXPECT_EQ(request.sampling.temperature, 1);
    EXPECT_TRUE(request.sampling.logprobs);
    EXPECT_EQ(request.sampling.top_logprobs, 5);
    EXPECT_EQ(request.sampling.seed, std::nullopt);
  }
}

TEST(AlpacaJudge, EqualOutputsAreADrawThatNobodyIsAskedAbout) {
  ShuffledModel model(&prefers_mine, 1);
  std::vector<AlpacaPair> asked = pairs();
  asked[0].output_2 = asked[0].output_1;
  const AlpacaJudgments judgments = judge(model, asked);
  EXPECT_EQ(judgments.rows[0].preference, 1.5);
  EXPECT_EQ(judgments.equal, 1);
  EXPECT_EQ(model.asked().size(), 1U);
}

TEST(AlpacaJudge, WithoutLogprobsTheLetterCounts) {
  ShuffledModel model(
      [](const llm::ChatRequest& request) {
        const bool mine_first = user_text(request).find("MINE") < user_text(request).find("BASE");
        return says(mine_first ? "m" : "M");
      },
      1);
  const AlpacaJudgments judgments = judge(model, pairs());
  for (const AlpacaJudged& row : judgments.rows) EXPECT_EQ(row.preference, 2.0);
  EXPECT_EQ(judgments.by_letter, 2);
}

TEST(AlpacaJudge, RepeatsAreRequestsOfTheirOwnAndTheirMeanCounts) {
  ShuffledModel model(
      [](const llm::ChatRequest& request) {
        return says(request.sampling.seed.value_or(0) == 1 ? "m" : "M");
      },
      3);
  AlpacaJudgeOptions options;
  options.logprobs = false;
  options.repeats = 4;
  const AlpacaJudgments judgments = judge(model, pairs(), options);
  EXPECT_EQ(model.asked().size(), 8U);
  EXPECT_THAT(judgments.rows[0].repeats, ElementsAre(2, 1, 2, 2));
  EXPECT_EQ(judgments.rows[0].preference, 1.75);
  EXPECT_THAT(judgments.rows[1].repeats, ElementsAre(1, 2, 1, 1));
  EXPECT_FALSE(model.asked()[0].sampling.logprobs);
}

TEST(AlpacaJudge, AnUnreadableReplyIsAskedAgainAndThenCounted) {
  ShuffledModel model(
      [](const llm::ChatRequest& request) {
        return says(
            request.attempt == 1 && mentions(request, both_orders()[0]) ? "m" : "Model M, I think");
      },
      1);
  AlpacaJudgeOptions options;
  options.max_attempts = 3;
  const AlpacaJudgments judgments = judge(model, pairs(), options);
  EXPECT_TRUE(judgments.complete);
  EXPECT_EQ(judgments.rows[0].preference, 1.0);
  EXPECT_EQ(judgments.rows[1].preference, std::nullopt);
  EXPECT_EQ(judgments.rows[1].failure, "unreadable");
  EXPECT_EQ(judgments.failed.at("unreadable"), 1);
  EXPECT_EQ(model.asked().size(), 5U);
}

TEST(AlpacaJudge, TransientAndTerminalFailuresAreTwoThings) {
  ShuffledModel model(
      [](const llm::ChatRequest& request) {
        return fails(mentions(request, both_orders()[0]) ? llm::Failure::content_filter
                                                         : llm::Failure::budget);
      },
      1);
  const AlpacaJudgments judgments = judge(model, pairs());
  EXPECT_FALSE(judgments.complete);
  EXPECT_EQ(judgments.failed.at("content_filter"), 1);
  EXPECT_EQ(judgments.failed.size(), 1U);
}

}  // namespace
}  // namespace tapir::evaluate
