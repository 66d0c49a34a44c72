#include <gtest/gtest.h>

#include "shuffled_model.h"
#include "tasks/classifier.h"

namespace tapir::tasks {
namespace {

using testing::fails;
using testing::says;
using testing::ShuffledModel;

std::vector<Instruction> rows_of(int count) {
  std::vector<Instruction> rows;
  for (int i = 0; i < count; ++i) {
    Instruction row;
    row.id = std::to_string(i);
    row.messages = {{Role::user, std::to_string(i) + (i % 2 == 0 ? " plus one?" : " in French?")}};
    rows.push_back(row);
  }
  return rows;
}

llm::ChatReply label(const llm::ChatRequest& request) {
  const auto instruction =
      prompting::read_fence(request.messages.back().content, "instruction").value();
  return says(instruction.ends_with("plus one?") ? "<answer>math</answer>"
                                                 : "It is <answer>Multilingual</answer>.");
}

LlmLabels run(const ShuffledModel::Answer& answer, const std::vector<Instruction>& rows,
              std::uint64_t shuffle = 1, std::size_t* asked = nullptr) {
  ShuffledModel model(answer, shuffle);
  LlmLabels labels = label_by_llm(model, prompting::PromptSet::load({}), load_taxonomy("tapir33"),
                                  rows, {}, silent_progress(), {});
  EXPECT_TRUE(labels.ledger.balances());
  if (asked != nullptr) *asked = model.asked().size();
  return labels;
}

TEST(LabelByLlm, GivesEveryRowItsTask) {
  const LlmLabels labels = run(label, rows_of(100));
  EXPECT_EQ(labels.task_of.size(), 100U);
  EXPECT_EQ(labels.task_of.at("4"), "Math");
  EXPECT_EQ(labels.task_of.at("5"), "Multilingual");
  EXPECT_EQ(labels.ledger.done, 100U);
  EXPECT_EQ(labels.fell_back, 0);
  EXPECT_TRUE(labels.complete);
  EXPECT_EQ(run(label, rows_of(100), 7).task_of, labels.task_of);
}

TEST(LabelByLlm, AsksAgainThenFallsBack) {
  std::size_t asked = 0;
  const LlmLabels labels = run(
      [](const llm::ChatRequest& request) {
        if (request.row_id == "1") return says("<answer>Cooking</answer>");
        if (request.row_id == "2" && request.attempt < 2) return says("Hm.");
        return label(request);
      },
      rows_of(4), 1, &asked);
  EXPECT_EQ(asked, 2U + 3U + 3U);
  EXPECT_EQ(labels.task_of.at("1"), "Others");
  EXPECT_EQ(labels.task_of.at("2"), "Math");
  EXPECT_EQ(labels.fell_back, 1);
  EXPECT_EQ(labels.unlabelled, (std::map<std::string, std::string>{{"1", "unknown_label"}}));
  EXPECT_EQ(labels.ledger.done, 4U);
}

TEST(LabelByLlm, SaysWhatWasWrong) {
  std::vector<std::string> complaints(3);
  run(
      [&](const llm::ChatRequest& request) {
        const std::string& text = request.messages.back().content;
        if (request.attempt > 0) {
          EXPECT_EQ(prompting::read_fence(text, "last_reply"),
                    request.attempt == 1 ? "Hm." : "<answer>Cooking</answer>");
          complaints[static_cast<std::size_t>(request.attempt)] =
              prompting::read_fence(text, "complaint").value();
        }
        return says(request.attempt == 0 ? "Hm." : "<answer>Cooking</answer>");
      },
      rows_of(1));
  EXPECT_NE(complaints[1], complaints[2]);
  EXPECT_FALSE(complaints[1].empty());
}

TEST(LabelByLlm, FailuresAreCountedByReason) {
  const LlmLabels labels = run(
      [](const llm::ChatRequest& request) {
        if (request.row_id == "1") return fails(llm::Failure::connection);
        if (request.row_id == "2") return fails(llm::Failure::content_filter);
        return label(request);
      },
      rows_of(5));
  EXPECT_EQ(labels.ledger.done, 3U);
  EXPECT_EQ(labels.ledger.failed.at("connection"), 1U);
  EXPECT_EQ(labels.ledger.failed.at("content_filter"), 1U);
  EXPECT_FALSE(labels.complete);
  EXPECT_FALSE(labels.task_of.contains("1"));
  EXPECT_EQ(labels.unlabelled, (std::map<std::string, std::string>{{"2", "content_filter"}}));
}

TEST(LabelByLlm, TerminalFailuresAloneLeaveItComplete) {
  const LlmLabels labels =
      run([](const llm::ChatRequest&) { return fails(llm::Failure::length); }, rows_of(3));
  EXPECT_TRUE(labels.complete);
  EXPECT_EQ(labels.ledger.failed.at("length"), 3U);
}

TEST(LabelByLlm, StopLeavesTheRestOpen) {
  std::stop_source stop;
  stop.request_stop();
  ShuffledModel model(label, 1);
  const LlmLabels labels = label_by_llm(model, prompting::PromptSet::load({}), load_taxonomy("gym"),
                                        rows_of(3), {}, silent_progress(), stop.get_token());
  EXPECT_FALSE(labels.complete);
  EXPECT_EQ(labels.ledger.failed.at("stopped"), 3U);
  EXPECT_TRUE(labels.ledger.balances());
}

}  // namespace
}  // namespace tapir::tasks
