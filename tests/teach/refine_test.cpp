#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "base/error.h"
#include "shuffled_model.h"
#include "teach/teach.h"

namespace tapir::teach {
namespace {

using testing::fails;
using testing::says;
using testing::ShuffledModel;

std::vector<RefineRow> rows_of(int count) {
  std::vector<RefineRow> rows;
  for (int i = 0; i < count; ++i) {
    RefineRow row;
    row.instruction.id = std::to_string(i);
    row.instruction.task = i % 2 == 0 ? "Math" : "Roleplay";
    row.instruction.messages = {{Role::user, "Question " + std::to_string(i)}};
    if (i % 3 != 0) row.current_answer = "old";
    rows.push_back(row);
  }
  return rows;
}

llm::ChatReply teacher(const llm::ChatRequest& request) {
  const std::string& text = request.messages.back().content;
  const auto old = prompting::read_fence(text, "current_answer");
  const auto style = prompting::read_fence(text, "answer_style").value();
  llm::ChatReply reply = says(" " + (old ? "better than " + *old : std::string("fresh")) + " in " +
                              style.substr(0, style.find('\n')) + "\n");
  reply.usage.completion_tokens = 7;
  return reply;
}

struct Result {
  RefineSummary summary;
  std::map<std::string, Response> responses;
  std::vector<std::pair<std::string, std::string>> failed;
  std::size_t asked = 0;
};

Result run(const ShuffledModel::Answer& answer, const std::vector<RefineRow>& rows,
           std::uint64_t shuffle = 1, std::stop_token stop = {}) {
  ShuffledModel model(answer, shuffle);
  Result result;
  result.summary = refine(
      model, prompting::PromptSet::load({}), tasks::load_taxonomy("tapir33"), rows, {},
      [&](const Response& response) {
        EXPECT_TRUE(result.responses.emplace(response.instruction_id, response).second);
      },
      [&](const std::string& id, const std::string& reason) {
        result.failed.emplace_back(id, reason);
      },
      silent_progress(), stop);
  EXPECT_TRUE(result.summary.ledger.balances());
  result.asked = model.asked().size();
  return result;
}

TEST(Refine, AnswersInTheStyleOfTheTask) {
  const Result result = run(teacher, rows_of(60));
  ASSERT_EQ(result.responses.size(), 60U);
  EXPECT_EQ(result.responses.at("0").text, "fresh in steps");
  EXPECT_EQ(result.responses.at("1").text, "better than old in rich");
  EXPECT_EQ(result.responses.at("0").author, "teacher/steps");
  EXPECT_EQ(result.responses.at("1").author, "teacher/rich");
  EXPECT_EQ(result.responses.at("1").tokens, 7);
  EXPECT_FALSE(result.responses.at("1").reply_key.empty());
  EXPECT_TRUE(result.summary.complete);
  EXPECT_EQ(run(teacher, rows_of(60), 5).responses, result.responses);
}

TEST(Refine, FailuresKeepTheirReasons) {
  const Result result = run(
      [](const llm::ChatRequest& request) {
        if (request.row_id == "1") return says("  ");
        if (request.row_id == "2") return fails(llm::Failure::length);
        if (request.row_id == "3") return fails(llm::Failure::timeout);
        if (request.row_id == "4" && request.attempt == 0) return says("");
        llm::ChatReply reply = teacher(request);
        if (request.row_id == "5") reply.finish_reason = FinishReason::length;
        return reply;
      },
      rows_of(7));
  EXPECT_EQ(result.responses.size(), 3U);
  EXPECT_TRUE(result.responses.contains("4")) << "an empty answer is asked for again";
  using Failed = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(result.failed, (Failed{{"1", "empty"}, {"2", "length"}, {"5", "length"}}));
  EXPECT_EQ(result.summary.ledger.failed.at("length"), 2U);
  EXPECT_EQ(result.summary.ledger.failed.at("timeout"), 1U)
      << "missing, asked again by the next run";
  EXPECT_FALSE(result.summary.complete);
  EXPECT_EQ(result.asked, 7U + 2U + 1U);
}

TEST(Refine, StopLeavesTheRestOpen) {
  std::stop_source stop;
  stop.request_stop();
  const Result result = run(teacher, rows_of(3), 1, stop.get_token());
  EXPECT_FALSE(result.summary.complete);
  EXPECT_TRUE(result.failed.empty());
  EXPECT_EQ(result.summary.ledger.failed.at("stopped"), 3U);
}

TEST(Refine, AnUnknownTaskIsAnErrorBeforeAnythingIsAsked) {
  std::vector<RefineRow> rows = rows_of(2);
  rows[1].instruction.task = "Cooking";
  EXPECT_THROW(run(teacher, rows), Error);
}

}  // namespace
}  // namespace tapir::teach
