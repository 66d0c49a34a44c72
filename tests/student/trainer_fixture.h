// A tiny student in a folder, and jobs that train it on a device: whole, stopped, or killed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "error_of.h"
#include "student/student.h"
#include "student/torch_device.h"
#include "student/trainer.h"
#include "test_data.h"
#include "tiny_student.h"

namespace tapir::student {

class Trainer : public ::testing::Test {
 protected:
  using Path = std::filesystem::path;

  Trainer() { make_new_student(tapir::testing::tiny_student(), folder_.path() / "base"); }

  TrainJob job(const std::string& output) const {
    TrainJob made = tapir::testing::sum_job(folder_.path() / "base", folder_.path() / output);
    made.options.max_steps = 12;
    made.options.weight_decay = 0.01;
    return made;
  }
  TrainJob lora_job(const std::string& output) const {
    TrainJob made = job(output);
    made.options.finetuning_type = "lora";
    made.options.lora.lora_rank = 4;
    made.options.lora.lora_alpha = 16;
    made.options.learning_rate = 0.03;
    return made;
  }
  // The same job with its results in another folder.
  TrainJob moved(TrainJob job, const std::string& output) const {
    job.output_dir = folder_.path() / output;
    return job;
  }

  TrainResult train_all(const TrainJob& job) const {
    return train(job, "here", silent_progress(), {}, device_);
  }
  // Trains until `step` and stops there.
  TrainResult train_until(const TrainJob& job, std::uint64_t step) const {
    std::stop_source source;
    tapir::testing::WatchedProgress progress([&](const ProgressUpdate& update) {
      if (update.done == step) source.request_stop();
    });
    return train(job, "here", progress, source.get_token(), device_);
  }
  // Leaves what a SIGKILL after `step` leaves: the files of that moment, nothing published.
  void train_killed(const TrainJob& job, std::uint64_t step) const {
    const Path left = job.output_dir.string() + ".left";
    tapir::testing::WatchedProgress progress([&](const ProgressUpdate& update) {
      if (update.done == step) copy(work(job), left, std::filesystem::copy_options::recursive);
    });
    train(job, "here", progress, {}, device_);
    remove_all(job.output_dir);
    rename(left, work(job));
  }
  // A loss that leaves the finite numbers ends the training with its step and rows named; the last
  // good checkpoint stays.
  void expect_non_finite_loss_named() const {
    TrainJob made = job("out");
    made.options.learning_rate = 1e30;
    made.options.warmup_ratio = 0.3;  // rates of the first steps: 0, 2.5e29, ...
    made.io.save_steps = 1;
    const Error error = tapir::testing::error_of([&] { train_all(made); });
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("step "));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("row"));
    EXPECT_TRUE(std::filesystem::exists(work(made) / "checkpoint-1" / "model.safetensors"));
  }

  // Where a training keeps its files until it is finished.
  static Path work(const TrainJob& job) { return job.output_dir.string() + ".work"; }
  static std::string weights(const TrainJob& job) {
    return read_file(job.output_dir / "model.safetensors");
  }
  static std::string adapter(const TrainJob& job) {
    return read_file(job.output_dir / "adapter_model.safetensors");
  }
  static std::string moments(const TrainJob& job) {
    return read_file(job.output_dir / "optimizer.safetensors");
  }

  // Steps and losses of a file of metrics.
  static std::vector<std::pair<int, double>> losses(const Path& file) {
    std::vector<std::pair<int, double>> rows;
    for_each_jsonl(file, [&](const Json& row, const std::string& where) {
      rows.emplace_back(json_get<int>(row, "step", where), json_get<double>(row, "loss", where));
    });
    return rows;
  }
  static std::vector<std::pair<int, double>> losses(const TrainJob& job) {
    return losses(job.output_dir / "metrics.jsonl");
  }

  tapir::testing::TemporaryFolder folder_;
  Device device_;  // the CPU's own kernels, unless a test takes another
};

}  // namespace tapir::student
