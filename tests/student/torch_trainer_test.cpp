// Training on a device as a user meets it: beside the CPU's own, stopped and gone on, short of
// memory.
#include <gmock/gmock.h>

#include "error_of.h"
#include "metered_memory.h"
#include "student/torch_test.h"
#include "trainer_fixture.h"

namespace tapir::student {
namespace {

using tapir::testing::error_of;
using tapir::testing::MeteredMemory;
using tapir::testing::WatchedProgress;
using ::testing::HasSubstr;

class TorchTrainer : public Trainer {
 protected:
  void SetUp() override {
    const testing::OnDevice on;
    if (!on.reason.empty()) GTEST_SKIP() << on.reason;
    device_ = on.device;
  }

  // The job trained by the CPU's own kernels, its losses beside the device's.
  void expect_losses_of_the_cpu(const TrainJob& made) const {
    const TrainJob own = moved(made, "own");
    train(own, "here", silent_progress(), {});
    const TrainResult result = train_all(made);
    const auto expected = losses(own);
    const auto found = losses(made);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i].second, expected[i].second, 1e-4) << "step " << found[i].first;
    EXPECT_LT(result.last_loss, result.first_loss);
  }

  static std::string learnt(const TrainJob& job) {
    return job.options.finetuning_type == "lora" ? adapter(job) : weights(job);
  }

  // Stopped anywhere, a training goes on to the same bytes.
  void expect_resumed(const TrainJob& whole) const {
    const TrainResult expected = train_all(whole);
    for (const std::uint64_t step : {1U, 7U}) {
      const TrainJob parts = moved(whole, "parts" + std::to_string(step));
      EXPECT_FALSE(train_until(parts, step).finished);
      const TrainResult result = train_all(parts);
      EXPECT_TRUE(result.finished);
      EXPECT_EQ(result.eval_loss, expected.eval_loss);
      EXPECT_EQ(learnt(parts), learnt(whole)) << "stopped at " << step;
      EXPECT_EQ(moments(parts), moments(whole));
      EXPECT_EQ(losses(parts), losses(whole));
    }
  }
};

TEST_F(TorchTrainer, LossesAreTheCpus) { expect_losses_of_the_cpu(job("full")); }

TEST_F(TorchTrainer, LossesOfAnAdapterAreTheCpus) {
  TrainJob made = lora_job("lora");
  made.options.lora.lora_dropout = 0.2;
  // B begins at zero: the first gradients of A are rounding, of which AdamW makes whole steps.
  made.options.learning_rate = 0.002;
  expect_losses_of_the_cpu(made);
}

TEST_F(TorchTrainer, LossesOfPackedRowsAreTheCpus) {
  TrainJob made = job("packed");
  made.options.packing = true;
  made.options.cutoff_len = 90;
  made.options.batch_tokens = 0;
  made.options.total_batch_size = 3;
  expect_losses_of_the_cpu(made);
}

TEST_F(TorchTrainer, StoppedAnywhereItEndsWithTheSameBytes) {
  TrainJob made = job("whole");
  made.options.val_size = 5;
  made.io.eval_steps = 4;
  expect_resumed(made);
}

TEST_F(TorchTrainer, AnAdapterIsResumedToTheSameBytes) {
  TrainJob made = lora_job("whole");
  made.options.lora.lora_dropout = 0.2;
  expect_resumed(made);
}

TEST_F(TorchTrainer, Bfloat16IsResumedToTheSameBytes) {
  TrainJob made = job("whole");
  made.options.bf16 = true;
  made.options.optim_state_dtype = "bfloat16";
  expect_resumed(made);
}

TEST_F(TorchTrainer, GradientCheckpointingKeepsTheBytes) {
  const TrainJob kept = job("kept");
  TrainJob again = job("again");
  again.io.gradient_checkpointing = true;
  train_all(kept);
  train_all(again);
  EXPECT_EQ(weights(again), weights(kept));
  EXPECT_EQ(moments(again), moments(kept));
}

// A checkpoint does not tell where it was made, its state does.
TEST_F(TorchTrainer, ACheckpointOfTheCpuIsGoneOnWithWhenAllowed) {
  TrainJob made = job("out");
  std::stop_source source;
  WatchedProgress progress([&](const ProgressUpdate& update) {
    if (update.done == 6) source.request_stop();
  });
  train(made, "the CPU", progress, source.get_token());
  EXPECT_THAT(error_of([&] { train_all(made); }).what(), HasSubstr("the CPU"));
  made.io.allow_other_machine = true;
  const TrainResult result = train_all(made);
  TrainJob whole = job("whole");
  train(whole, "the CPU", silent_progress(), {});
  EXPECT_NEAR(result.last_loss, losses(whole).back().second, 1e-4);
}

TEST_F(TorchTrainer, TheOptimizerOfAnotherTrainingGoesOn) {
  TrainJob first = job("first");
  train_all(first);
  TrainJob second = job("second");
  second.model_dir = first.output_dir;
  second.optimizer_from = first.output_dir;
  expect_losses_of_the_cpu(second);
}

TEST_F(TorchTrainer, NonFiniteLossNamesStepAndRowsAndKeepsTheCheckpoint) {
  expect_non_finite_loss_named();
}

TEST_F(TorchTrainer, ThePlanIsOfTheDevicesMemory) {
  TrainJob made = job("out");
  const MemoryPlan plan = preflight(made, device_).memory;
  EXPECT_EQ(plan.device, device_.name);
  EXPECT_EQ(plan.limit, device_memory(device_).limit);
  EXPECT_EQ(plan.micro_batch_tokens, 8192);
  EXPECT_GT(plan.limit, plan.total());
  EXPECT_EQ(plan.gradients, plan.weights);  // no array for each lane
  made.io.gradient_checkpointing = true;
  EXPECT_LT(preflight(made, device_).memory.activations, plan.activations);
  made.options.optim_state_dtype = "bfloat16";
  EXPECT_EQ(preflight(made, device_).memory.optimizer, plan.optimizer / 2);
}

TEST_F(TorchTrainer, ALimitHalvesThePassesBeforeTheStart) {
  TrainJob made = job("little");
  made.io.memory_limit = 1;
  WatchedProgress progress([](const ProgressUpdate&) {});
  const TrainResult result = train(made, "here", progress, {}, device_);
  ASSERT_EQ(progress.messages.size(), 2U);
  EXPECT_THAT(progress.messages[0], HasSubstr("tokens instead of 8192"));
  EXPECT_THAT(progress.messages[1], HasSubstr("gradient_checkpointing"));
  EXPECT_NEAR(train_all(job("roomy")).last_loss, result.last_loss, 1e-3);
}

// A device that is full halves the passes of the step in work; the batch stays what it is.
TEST_F(TorchTrainer, OutOfMemoryHalvesThePasses) {
  if (device_.name != "torch-cpu") GTEST_SKIP() << "the cap is of the CPU's memory";
  TrainJob made = job("tight");
  made.options.batch_tokens = 600;
  made.io.micro_batch_tokens = 600;
  std::int64_t needed = 0;
  TrainResult expected;
  {
    const MeteredMemory memory;
    expected = train_all(made);
    needed = memory.peak();
  }
  const MeteredMemory memory(needed * 2 / 3);
  WatchedProgress progress([](const ProgressUpdate&) {});
  const TrainResult result = train(moved(made, "out"), "here", progress, {}, device_);
  EXPECT_GT(memory.refusals(), 0);
  ASSERT_FALSE(progress.messages.empty());
  EXPECT_THAT(progress.messages[0], HasSubstr("out of memory in step 1: passes of 300 tokens"));
  EXPECT_EQ(result.tokens, expected.tokens);
  EXPECT_NEAR(result.last_loss, expected.last_loss, 1e-3);
}

TEST_F(TorchTrainer, OutOfMemoryWithOneRowIsAnErrorThatSaysSo) {
  if (device_.name != "torch-cpu") GTEST_SKIP() << "the cap is of the CPU's memory";
  const TrainJob made = job("out");
  const MemoryPlan plan = preflight(made, device_).memory;
  const std::int64_t arrays = plan.weights + plan.gradients + plan.optimizer;
  {
    const MeteredMemory memory(arrays / 2);
    EXPECT_THAT(error_of([&] { train_all(made); }).what(), HasSubstr("weights, gradients"));
  }
  const MeteredMemory memory(arrays + 20000);
  const Error error = error_of([&] { train_all(made); });
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_THAT(error.what(), HasSubstr("out of memory with one row"));
}

}  // namespace
}  // namespace tapir::student
