// How trained weights are stored: as their base's, or as asked for; never what is gone on from.
#include <stop_token>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "student/half.h"
#include "student/merge.h"
#include "student/parameters.h"
#include "student/safetensors.h"
#include "student/trainer.h"
#include "test_data.h"
#include "tiny_student.h"

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

class SaveDtype : public ::testing::Test {
 protected:
  // A base whose weights are stored as `type`, with the same values whatever it is.
  Path base(StorageType type) const {
    const Path folder = folder_.path() / ("base-" + std::string(to_string(type)));
    make_new_student(tapir::testing::tiny_student(), folder);
    const ModelConfig config = read_config(folder);
    const ParameterLayout layout = make_layout(config);
    std::vector<float> values(static_cast<std::size_t>(layout.size));
    read_parameters(layout, config, folder, values.data());
    for (float& value : values) value = bfloat_to_float(float_to_bfloat(value));
    write_parameters(layout, values.data(), folder, {.type = type});
    Json json = parse_json(read_file(folder / "config.json"), "config.json");
    json["torch_dtype"] = to_string(type);
    write_file(folder / "config.json", json.dump(2));
    return folder;
  }

  TrainJob job(StorageType type, const std::string& save_dtype, const std::string& output) const {
    TrainJob made = tapir::testing::sum_job(base(type), folder_.path() / output);
    made.options.max_steps = 6;
    made.options.save_dtype = save_dtype;
    return made;
  }

  static void train_all(const TrainJob& job) { train(job, "here", silent_progress(), {}); }

  static void expect_stored_as(const Path& file, DataType type) {
    const SafetensorsFile weights(file);
    ASSERT_FALSE(weights.tensors().empty());
    for (const auto& [name, tensor] : weights.tensors()) EXPECT_EQ(tensor.type, type) << name;
  }

  static std::vector<float> values_of(const Path& folder) {
    const ModelConfig config = read_config(folder);
    const ParameterLayout layout = make_layout(config);
    std::vector<float> values(static_cast<std::size_t>(layout.size));
    read_parameters(layout, config, folder, values.data());
    return values;
  }

  testing::TemporaryFolder folder_;
};

TEST_F(SaveDtype, AutoIsThatOfTheBaseAndValuesAreRoundedOnce) {
  const TrainJob exact = job(StorageType::bfloat16, "float32", "exact");
  const TrainJob usual = job(StorageType::bfloat16, "auto", "usual");
  const TrainJob halves = job(StorageType::bfloat16, "float16", "halves");
  for (const TrainJob& made : {exact, usual, halves}) train_all(made);
  expect_stored_as(exact.output_dir / "model.safetensors", DataType::f32);
  expect_stored_as(usual.output_dir / "model.safetensors", DataType::bf16);
  expect_stored_as(halves.output_dir / "model.safetensors", DataType::f16);
  EXPECT_EQ(read_config(exact.output_dir).torch_dtype, StorageType::float32);
  EXPECT_EQ(read_config(usual.output_dir).torch_dtype, StorageType::bfloat16);
  EXPECT_EQ(read_config(halves.output_dir).torch_dtype, StorageType::float16);

  std::vector<float> rounded = values_of(exact.output_dir);
  EXPECT_NE(rounded, values_of(usual.output_dir));
  for (float& value : rounded) value = bfloat_to_float(float_to_bfloat(value));
  EXPECT_EQ(rounded, values_of(usual.output_dir));
  // The optimizer's state is not rounded.
  EXPECT_EQ(read_file(exact.output_dir / "optimizer.safetensors"),
            read_file(usual.output_dir / "optimizer.safetensors"));
}

TEST_F(SaveDtype, AFloat32BaseKeepsItsTypeAndAConfigWithoutOneGetsIt) {
  const TrainJob usual = job(StorageType::float32, "auto", "usual");
  train_all(usual);
  expect_stored_as(usual.output_dir / "model.safetensors", DataType::f32);
  EXPECT_EQ(read_file(usual.output_dir / "config.json"),
            read_file(usual.model_dir / "config.json"));

  const TrainJob silent = job(StorageType::float32, "bfloat16", "silent");
  Json json = parse_json(read_file(silent.model_dir / "config.json"), "config.json");
  json.erase("torch_dtype");
  write_file(silent.model_dir / "config.json", json.dump(2));
  train_all(silent);
  EXPECT_EQ(read_config(silent.output_dir).torch_dtype, StorageType::bfloat16);
}

TEST_F(SaveDtype, CheckpointsAreExactSoThatStoppingChangesNothing) {
  const TrainJob whole = job(StorageType::bfloat16, "auto", "whole");
  train_all(whole);
  const TrainJob parts = job(StorageType::bfloat16, "auto", "parts");
  std::stop_source source;
  tapir::testing::WatchedProgress progress([&](const ProgressUpdate& update) {
    if (update.done == 3) source.request_stop();
  });
  EXPECT_FALSE(train(parts, "here", progress, source.get_token()).finished);
  expect_stored_as(folder_.path() / "parts.work" / "checkpoint-3" / "model.safetensors",
                   DataType::f32);
  train_all(parts);
  EXPECT_EQ(read_file(parts.output_dir / "model.safetensors"),
            read_file(whole.output_dir / "model.safetensors"));
}

// PEFT keeps adapters in float32 beside half-precision bases.
TEST_F(SaveDtype, AnAdapterIsFloat32UnlessAskedForAndMergesIntoItsBasesType) {
  TrainJob usual = job(StorageType::bfloat16, "auto", "usual");
  TrainJob small = job(StorageType::bfloat16, "bfloat16", "small");
  for (TrainJob* made : {&usual, &small}) {
    made->options.finetuning_type = "lora";
    train_all(*made);
  }
  expect_stored_as(usual.output_dir / "adapter_model.safetensors", DataType::f32);
  expect_stored_as(small.output_dir / "adapter_model.safetensors", DataType::bf16);
  merge_student(usual.output_dir, folder_.path() / "merged");
  merge_student(usual.output_dir, folder_.path() / "exact", "float32");
  expect_stored_as(folder_.path() / "merged" / "model.safetensors", DataType::bf16);
  expect_stored_as(folder_.path() / "exact" / "model.safetensors", DataType::f32);
  const auto engine = make_student_engine();
  const auto beside = engine->load(usual.output_dir)->token_losses(usual.examples);
  const auto exact = engine->load(folder_.path() / "exact")->token_losses(usual.examples);
  for (std::size_t i = 0; i < exact.size(); ++i) EXPECT_EQ(exact[i].logprobs, beside[i].logprobs);
}

TEST_F(SaveDtype, AnUnknownOneIsRefusedByItsName) {
  const TrainJob wrong = job(StorageType::float32, "bf16", "wrong");
  try {
    train_all(wrong);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("save_dtype"));
  }
}

}  // namespace
}  // namespace tapir::student
