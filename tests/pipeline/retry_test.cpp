// Rows that failed for good are asked about again: what was paid stays, and only what was made from
// rows that come out otherwise is done again.
#include <gmock/gmock.h>

#include "base/json.h"
#include "error_of.h"
#include "pipeline/gym_commands.h"
#include "pipeline/judge_file.h"
#include "pipeline/retries.h"
#include "pipeline/status.h"
#include "pipeline/teach_files.h"
#include "pipeline_fixture.h"

namespace tapir::pipeline {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RetryTest : public PipelineTest {
 protected:
  // A judge of whose replies many cannot be read.
  const std::vector<std::string> kUnreadable = {
      "judge.gym.malformed_rate=0.5", "judge.max_attempts=1", "judge.orders=single", "arms={}"};

  RunOutcome retry(const std::string& name, const std::vector<std::string>& overrides,
                   bool accept = true, const std::string& stage = {}) {
    RunOptions options;
    options.retry = true;
    options.retry_stage = stage;
    options.accept_changes = accept;
    return run(name, overrides, options);
  }
  // Replies that a stage was answered by, all sittings together.
  std::int64_t replies(const std::string& name, const std::string& stage) const {
    std::int64_t sum = 0;
    for (const store::UsageRow& row : open(name)->usage())
      sum += row.stage == stage ? row.sends : 0;
    return sum;
  }
  std::int64_t failed(const std::string& name, const std::string& stage) const {
    return static_cast<std::int64_t>(open(name)->stage(stage)->ledger.failed_total());
  }
};

TEST_F(RetryTest, FailedRowsAreAskedAgainAndNothingElse) {
  run("a", kUnreadable);
  const std::int64_t before = failed("a", "difficulty");
  const std::int64_t asked = replies("a", "difficulty");
  ASSERT_GT(before, 50);
  const Json status = status_json(*open("a"), folder_.path() / "a");
  EXPECT_EQ(status["retry"]["rows"], before);
  EXPECT_THAT(status_text(status), HasSubstr(std::to_string(before) + " rows failed for good: " +
                                             "`tapir retry " + (folder_.path() / "a").string()));

  EXPECT_TRUE(retry("a", kUnreadable).finished);
  const auto store = open("a");
  EXPECT_EQ(replies("a", "difficulty"), asked + before);
  EXPECT_LT(failed("a", "difficulty"), before);
  EXPECT_GT(failed("a", "difficulty"), 0);
  for (const store::StageRecord& record : store->stages()) {
    EXPECT_TRUE(record.finished) << record.name;
    EXPECT_TRUE(record.ledger.balances()) << record.name;
  }
  EXPECT_EQ(store->stage("select")->ledger.filtered.at("not_judged"),
            open("a")->stage("difficulty")->ledger.failed_total());
  // A further retry is a further attempt.
  const std::int64_t left = failed("a", "difficulty");
  retry("a", kUnreadable);
  EXPECT_EQ(replies("a", "difficulty"), asked + before + left);
  EXPECT_LT(failed("a", "difficulty"), left);
}

TEST_F(RetryTest, WhatWouldBeDoneAgainIsListedFirst) {
  run("a", kUnreadable);
  const std::int64_t asked = replies("a", "difficulty");
  const Error e = testing::error_of([&] { retry("a", kUnreadable, /*accept=*/false); });
  EXPECT_EQ(e.kind(), ErrorKind::usage);
  EXPECT_THAT(e.what(), HasSubstr("\n  select "));
  EXPECT_THAT(e.what(), HasSubstr("\n  tapir/round-1/train "));
  EXPECT_THAT(e.what(), Not(HasSubstr("\n  s0/train ")));
  EXPECT_THAT(e.hint(), HasSubstr("--accept-changes"));
  EXPECT_EQ(replies("a", "difficulty"), asked);
  EXPECT_TRUE(open("a")->stage("difficulty")->finished) << "nothing was touched";
}

// As far as the run had come, nothing needs to be accepted, and nothing further is bought.
TEST_F(RetryTest, ARunThatStoppedGoesNoFurther) {
  RunOptions until;
  until.until = "difficulty";
  run("a", kUnreadable, until);
  const std::int64_t before = failed("a", "difficulty");
  EXPECT_FALSE(retry("a", kUnreadable, /*accept=*/false, "difficulty").finished);
  EXPECT_LT(failed("a", "difficulty"), before);
  EXPECT_FALSE(open("a")->stage("select"));
  const Error e =
      testing::error_of([&] { retry("a", kUnreadable, /*accept=*/false, "dificulty"); });
  EXPECT_EQ(e.kind(), ErrorKind::usage);
  EXPECT_THAT(e.hint(), HasSubstr("did you mean difficulty"));
}

// Instructions that the teacher refuses, whoever asks: later stages stay as they are.
TEST_F(RetryTest, RowsThatFailAgainChangeNothing) {
  write_file(folder_.path() / "foreign.jsonl",
             "{\"instruction\": \"Write a haiku about rain.\"}\n"
             "{\"instruction\": \"Name three rivers.\"}\n");
  GymItemsOptions items;
  items.rows = 300;
  gym_items(items, (folder_.path() / "items.jsonl").string());
  const std::vector<std::string> settings = {"data.gym.rows=0",
                                             "data.instructions=[items.jsonl, foreign.jsonl]",
                                             "data.responses=missing", "arms={}"};
  run("a", settings);
  EXPECT_EQ(failed("a", "responses"), 2);
  const std::int64_t asked = replies("a", "responses");
  const auto trained =
      std::filesystem::last_write_time(folder_.path() / "a/students/round-2/model.safetensors");
  const std::string rows = rows_of("a");
  EXPECT_TRUE(retry("a", settings, true, "responses").finished);
  EXPECT_EQ(replies("a", "responses"), asked + 2);
  EXPECT_EQ(failed("a", "responses"), 2);
  EXPECT_EQ(rows_of("a"), rows);
  EXPECT_EQ(
      std::filesystem::last_write_time(folder_.path() / "a/students/round-2/model.safetensors"),
      trained);
}

// The exam of a user's own rows asks the judge, too.
TEST_F(RetryTest, HeldOutRowsOfAnExamAreAskedAgain) {
  GymItemsOptions items;
  items.rows = 300;
  gym_items(items, (folder_.path() / "items.jsonl").string());
  auto settings = kUnreadable;
  settings.insert(settings.end(),
                  {"data.gym.rows=0", "data.instructions=[items.jsonl]", "data.held_out=60"});
  run("a", settings);
  const std::int64_t before = failed("a", "exam/s0");
  const std::int64_t asked = replies("a", "exam/s0");
  ASSERT_GT(before, 10);
  EXPECT_TRUE(retry("a", settings, /*accept=*/false, "exam/s0").finished);
  EXPECT_EQ(replies("a", "exam/s0"), asked + before);
  EXPECT_LT(failed("a", "exam/s0"), before);
  EXPECT_TRUE(open("a")->stage("exam/s0")->ledger.balances());
}

// By rule nobody is asked: asking again would change nothing.
TEST_F(RetryTest, RowsThatFailedByRuleAreNotOffered) {
  RunOptions until;
  until.until = "difficulty";
  run("a", {"judge.kind=answer_match", "arms={}"}, until);
  EXPECT_GT(failed("a", "difficulty"), 0);
  EXPECT_EQ(status_json(*open("a"), "a")["retry"]["rows"], 0);
}

// Between the reopening and the asking: the same `tapir run` goes on with it.
TEST_F(RetryTest, AStopInTheMiddleLosesNothing) {
  run("a", kUnreadable);
  const std::int64_t before = failed("a", "difficulty");
  const std::int64_t asked = replies("a", "difficulty");
  {
    RunOptions options = this->options("a");
    options.retry = options.accept_changes = true;
    const pipeline::Run stopped(recipe(kUnreadable), options,
                                std::make_shared<testing::FakeEngine>(), silent_progress(), {});
  }
  EXPECT_FALSE(open("a")->stage("difficulty")->finished);
  EXPECT_TRUE(run("a", kUnreadable).finished);
  EXPECT_EQ(replies("a", "difficulty"), asked + before);
  run("b", kUnreadable);
  retry("b", kUnreadable);
  EXPECT_EQ(rows_of("a"), rows_of("b"));
  EXPECT_EQ(final_bytes("a"), final_bytes("b"));
}

TEST_F(RetryTest, ARunSaysFromWhichRecipeItWasMade) {
  RunOptions until;
  until.until = "data";
  run("a", {"arms={}"}, until);
  const Recipe again = recipe_of_run(folder_.path() / "a", {"budget.max_tokens=7"});
  EXPECT_EQ(again.folder, folder_.path());
  EXPECT_EQ(again.budget.max_tokens, 7);
  Recipe as_given = recipe({"arms={}", "budget.max_tokens=7"});
  EXPECT_EQ(to_yaml(again), to_yaml(as_given));
}

TEST_F(RetryTest, FileCommandsAskAboutFailedRowsOnDemand) {
  GymItemsOptions items;
  items.rows = 60;
  gym_items(items, (folder_.path() / "items.jsonl").string());
  std::string judged;
  for_each_jsonl(folder_.path() / "items.jsonl", [&](Json row, const std::string&) {
    row["student_response"] = "7";
    judged += row.dump() + "\n";
  });
  write_file(folder_.path() / "answered.jsonl", judged);
  const Recipe with = load_settings(
      {}, {"judge.gym.malformed_rate=0.5", "judge.max_attempts=1", "judge.orders=single"});
  JudgeFileOptions options;
  options.files = {
      (folder_.path() / "answered.jsonl").string(), (folder_.path() / "judged.jsonl").string(), {}};
  const auto sends = [&] {
    std::int64_t sum = 0;
    const auto store = store::RunStore::open(folder_.path() / "judged.jsonl.tapir/run.db",
                                             store::OpenMode::read_only);
    for (const store::UsageRow& row : store->usage()) sum += row.sends;
    return sum;
  };
  const auto first = judge_file(with, options, silent_progress(), {});
  std::int64_t unread = 0;
  for (const auto& [reason, rows] : first.failed) unread += rows;
  ASSERT_GT(unread, 10);
  EXPECT_EQ(sends(), 60);
  EXPECT_EQ(judge_file(with, options, silent_progress(), {}).judged, first.judged);
  EXPECT_EQ(sends(), 60) << "without being asked to, nobody is asked again";
  options.files.retry = true;
  const auto second = judge_file(with, options, silent_progress(), {});
  EXPECT_GT(second.judged, first.judged);
  EXPECT_EQ(sends(), 60 + unread);
}

TEST(RetriedAttempt, IsOfTheRowOrTheRowInAnOrder) {
  const std::map<std::string, int> times = {{"a", 1}, {"a/b", 2}};
  EXPECT_EQ(retried_attempt(times, "a", 2), 1002);
  EXPECT_EQ(retried_attempt(times, "a/teacher_first", 0), 1000);
  EXPECT_EQ(retried_attempt(times, "a/b/student_first", 0), 2000);
  EXPECT_EQ(retried_attempt(times, "a/teacher", 0), 1000);
  EXPECT_EQ(retried_attempt(times, "a/c", 1), 1);
  EXPECT_EQ(retried_attempt({}, "a", 1), 1);
  EXPECT_TRUE(may_ask_a_model("tapir/round-1/expand"));
  EXPECT_TRUE(may_ask_a_model("difficulty"));
  EXPECT_TRUE(may_ask_a_model("exam/tapir/round-1"));
  EXPECT_FALSE(may_ask_a_model("s0/train"));
}

}  // namespace
}  // namespace tapir::pipeline
