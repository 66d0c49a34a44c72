// Training an adapter: resumed, merged, trained on.
#include <gmock/gmock.h>

#include "error_of.h"
#include "student/merge.h"
#include "trainer_fixture.h"

namespace tapir::student {
namespace {

using tapir::testing::error_of;
using ::testing::HasSubstr;

// An adapter, stopped and killed anywhere, dropout and evaluation included.
TEST_F(Trainer, AnAdapterIsResumedToTheSameBytes) {
  TrainJob whole = lora_job("whole");
  whole.options.lora.lora_dropout = 0.2;
  whole.options.val_size = 5;
  whole.io.eval_steps = 4;
  const TrainResult expected = train_all(whole);
  EXPECT_LT(expected.last_loss, expected.first_loss);
  ASSERT_TRUE(expected.eval_loss.has_value());
  const std::string bytes = adapter(whole);
  const TrainJob parts = moved(whole, "parts");
  EXPECT_FALSE(train_until(parts, 5).finished);
  EXPECT_EQ(train_all(parts).eval_loss, expected.eval_loss);
  EXPECT_EQ(adapter(parts), bytes);
  EXPECT_EQ(moments(parts), moments(whole));
  EXPECT_EQ(losses(parts), losses(whole));
  // The files alone, as a kill leaves them between two checkpoints.
  TrainJob killed = moved(whole, "killed");
  killed.io.save_steps = 3;
  train_killed(killed, 8);
  EXPECT_TRUE(train_all(killed).finished);
  EXPECT_EQ(adapter(killed), bytes);
}

TEST_F(Trainer, AnAdapterLeavesItsBaseAloneAndMergesIntoIt) {
  const TrainJob made = lora_job("adapter");
  const std::string base = read_file(made.model_dir / "model.safetensors");
  train_all(made);
  EXPECT_EQ(read_file(made.model_dir / "model.safetensors"), base);
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json",
                           "tokenizer_config.json", "trainer_state.json"}) {
    EXPECT_TRUE(std::filesystem::exists(made.output_dir / name)) << name;
  }
  for (const char* name : {"config.json", "model.safetensors"}) {
    EXPECT_FALSE(std::filesystem::exists(made.output_dir / name)) << name;
  }
  merge_student(made.output_dir, folder_.path() / "merged");
  const auto engine = make_student_engine();
  const auto beside = engine->load(made.output_dir)->token_losses(made.examples);
  const auto merged = engine->load(folder_.path() / "merged")->token_losses(made.examples);
  const auto before = engine->load(made.model_dir)->token_losses(made.examples);
  double learnt = 0;
  for (std::size_t i = 0; i < merged.size(); ++i) {
    EXPECT_EQ(merged[i].logprobs, beside[i].logprobs);
    learnt += before[i].loss - merged[i].loss;
  }
  EXPECT_GT(learnt / static_cast<double>(merged.size()), 0.5);
  EXPECT_EQ(error_of([&] { merge_student(made.model_dir, folder_.path() / "x"); }).kind(),
            ErrorKind::usage);
}

// From an adapter: trained on as it is, or all weights from the merged ones.
TEST_F(Trainer, AnAdapterIsTrainedOn) {
  const TrainJob first = lora_job("first");
  train_all(first);
  TrainJob second = lora_job("second");
  second.model_dir = first.output_dir;
  const TrainResult result = train_all(second);
  EXPECT_LT(result.first_loss, 5);
  EXPECT_TRUE(std::filesystem::exists(second.output_dir / "adapter_config.json"));
  second.options.lora.lora_rank = 3;
  EXPECT_THAT(error_of([&] { train_all(second); }).what(), HasSubstr("lora_rank 4"));
  TrainJob full = job("full");
  full.model_dir = first.output_dir;
  train_all(full);
  EXPECT_TRUE(std::filesystem::exists(full.output_dir / "model.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(full.output_dir / "adapter_config.json"));
  EXPECT_NO_THROW(make_student_engine()->load(full.output_dir));
}

}  // namespace
}  // namespace tapir::student
