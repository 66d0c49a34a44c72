// Training as a user meets it: whole folders in and out, stopped, killed and gone on.
#include "student/trainer.h"

#include <gmock/gmock.h>

#include "error_of.h"
#include "trainer_fixture.h"

namespace tapir::student {
namespace {

using tapir::testing::error_of;
using tapir::testing::WatchedProgress;
using ::testing::HasSubstr;

TEST_F(Trainer, LearnsAndPublishesAWholeFolder) {
  TrainJob made = job("out");
  made.options.max_steps = 150;
  const TrainResult result = train_all(made);
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(result.steps, 150);
  EXPECT_NEAR(static_cast<double>(result.tokens), 150 * 150, 40);
  EXPECT_GT(result.first_loss, 4);
  EXPECT_LT(result.last_loss, 0.5);
  for (const char* name : {"config.json", "generation_config.json", "tokenizer.json",
                           "tokenizer_config.json", "special_tokens_map.json", "model.safetensors",
                           "optimizer.safetensors", "trainer_state.json", "metrics.jsonl"}) {
    EXPECT_TRUE(std::filesystem::exists(made.output_dir / name)) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(work(made)));
  const auto trained = make_student_engine()->load(made.output_dir);
  double mean = 0;
  for (const TokenLosses& row : trained->token_losses(made.examples)) mean += row.loss / 40;
  EXPECT_LT(mean, 0.5);
}

TEST_F(Trainer, SameJobSameBytes) {
  const TrainJob a = job("a");
  const TrainJob b = job("b");
  train_all(a);
  train_all(b);
  EXPECT_EQ(weights(a), weights(b));
  EXPECT_EQ(moments(a), moments(b));
}

TEST_F(Trainer, StoppedAnywhereItEndsWithTheSameBytes) {
  const TrainJob whole = job("whole");
  const TrainResult expected = train_all(whole);
  for (const std::uint64_t step : {1U, 5U, 11U}) {
    const TrainJob parts = job("parts" + std::to_string(step));
    const TrainResult stopped = train_until(parts, step);
    EXPECT_FALSE(stopped.finished);
    EXPECT_EQ(stopped.steps, static_cast<std::int64_t>(step));
    EXPECT_FALSE(std::filesystem::exists(parts.output_dir));
    const TrainResult result = train_all(parts);
    EXPECT_TRUE(result.finished);
    EXPECT_EQ(result.tokens, expected.tokens);
    EXPECT_EQ(result.rows, expected.rows);
    EXPECT_EQ(result.last_loss, expected.last_loss);
    EXPECT_EQ(weights(parts), weights(whole)) << "stopped at " << step;
    EXPECT_EQ(moments(parts), moments(whole));
    EXPECT_EQ(losses(parts), losses(whole));
  }
}

// What a SIGKILL leaves: the last checkpoint, metrics beyond it, a checkpoint half written.
TEST_F(Trainer, KilledAnywhereItEndsWithTheSameBytes) {
  const TrainJob whole = job("whole");
  train_all(whole);
  for (const std::uint64_t step : {2U, 7U, 10U}) {
    TrainJob killed = job("killed" + std::to_string(step));
    killed.io.save_steps = 3;
    train_killed(killed, step);
    std::filesystem::create_directories(work(killed) / "writing");
    write_file(work(killed) / "writing" / "model.safetensors", "half");
    WatchedProgress again([](const ProgressUpdate&) {});
    EXPECT_TRUE(train(killed, "here", again, {}).finished);
    EXPECT_EQ(again.messages.size(), step >= 3 ? 1U : 0U);
    EXPECT_EQ(weights(killed), weights(whole)) << "killed at " << step;
    EXPECT_EQ(losses(killed), losses(whole));
  }
}

TEST_F(Trainer, FinishedIsNotDoneAgain) {
  const TrainJob made = job("out");
  const TrainResult first = train_all(made);
  int updates = 0;
  WatchedProgress progress([&](const ProgressUpdate&) { ++updates; });
  const TrainResult second = train(made, "here", progress, {});
  EXPECT_EQ(updates, 0);
  EXPECT_EQ(second.tokens, first.tokens);
  EXPECT_EQ(second.last_loss, first.last_loss);
  EXPECT_EQ(second.seconds, first.seconds);

  TrainJob other = made;
  other.options.learning_rate = 0.02;
  const std::string before = weights(made);
  train(other, "here", progress, {});
  EXPECT_EQ(updates, 12);
  EXPECT_NE(weights(other), before);
}

TEST_F(Trainer, CheckpointsOfAnotherJobAreDropped) {
  TrainJob first = job("out");
  train_until(first, 4);
  TrainJob second = first;
  second.examples.pop_back();
  TrainJob fresh = moved(second, "fresh");
  train_all(second);
  train_all(fresh);
  EXPECT_EQ(weights(second), weights(fresh));
}

TEST_F(Trainer, CheckpointsOfAnotherMachineAreRefusedUnlessAllowed) {
  TrainJob made = job("out");
  train_until(made, 4);
  const Error error = error_of([&] { train(made, "elsewhere", silent_progress(), {}); });
  EXPECT_THAT(error.what(), HasSubstr("elsewhere"));
  made.io.allow_other_machine = true;
  EXPECT_TRUE(train(made, "elsewhere", silent_progress(), {}).finished);
}

TEST_F(Trainer, KeepsTheNewestCheckpoints) {
  TrainJob made = job("out");
  made.io.save_steps = 2;
  made.io.save_total_limit = 2;
  train_until(made, 9);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(work(made))) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("checkpoint-")) names.push_back(name);
  }
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("checkpoint-8", "checkpoint-9"));
  EXPECT_NO_THROW(make_student_engine()->load(work(made) / "checkpoint-9"));
}

// Two trainings under one schedule, the optimizer's state carried over, are one training.
TEST_F(Trainer, OneScheduleOverTwoTrainings) {
  TrainJob whole = job("whole");
  whole.options.shuffle = false;
  whole.options.batch_tokens = 0;
  whole.options.total_batch_size = 5;
  whole.options.max_steps = 0;
  whole.options.num_train_epochs = 1;
  train_all(whole);
  TrainJob first = moved(whole, "first");
  first.examples.resize(15);
  first.options.schedule_total_steps = 8;
  train_all(first);
  TrainJob second = moved(whole, "second");
  second.model_dir = first.output_dir;
  second.optimizer_from = first.output_dir;
  second.examples.erase(second.examples.begin(), second.examples.begin() + 15);
  second.options.schedule_total_steps = 8;
  second.options.schedule_first_step = 3;
  train_all(second);
  EXPECT_EQ(weights(second), weights(whole));
  EXPECT_EQ(moments(second), moments(whole));
}

TEST_F(Trainer, LanesAndMicroBatchesAgree) {
  std::vector<TrainResult> results;
  for (const int lanes : {1, 2, 4}) {
    for (const int micro : {0, 30}) {
      TrainJob made = job("lanes" + std::to_string(lanes) + "-" + std::to_string(micro));
      made.options.lanes = lanes;
      made.io.micro_batch_tokens = micro;
      results.push_back(train_all(made));
    }
  }
  for (const TrainResult& result : results) {
    EXPECT_EQ(result.first_loss, results[0].first_loss) << "sums of at most 1e-6 apart";
    EXPECT_NEAR(result.last_loss, results[0].last_loss, 1e-4);
  }
}

TEST_F(Trainer, MetricsAreAppendedToTheFileThatIsNamed) {
  TrainJob made = job("out");
  made.io.metrics = folder_.path() / "m.jsonl";
  made.io.stage = "round 1";
  made.io.logging_steps = 5;
  write_file(made.io.metrics,
             "{\"stage\":\"s0\",\"step\":99,\"loss\":1}\n{\"stage\":\"round "
             "1\",\"step\":3,\"loss\":1}\n{\"st");
  train_all(made);
  const auto rows = losses(made.io.metrics);
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_EQ(rows[0].first, 99);
  EXPECT_EQ(rows[1].first, 1);
  EXPECT_EQ(rows[2].first, 5);
  EXPECT_EQ(rows[4].first, 12);
  EXPECT_FALSE(std::filesystem::exists(made.output_dir / "metrics.jsonl"));
}

TEST_F(Trainer, OptimizerOfAnUnfinishedFolderIsRefused) {
  TrainJob made = job("out");
  made.optimizer_from = made.model_dir;
  EXPECT_THAT(error_of([&] { train_all(made); }).what(), HasSubstr("no optimizer state"));
}

}  // namespace
}  // namespace tapir::student
