// What a training changes: all weights of a student, or an adapter beside frozen ones. No torch
// here.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "student/adapter_file.h"
#include "student/config.h"
#include "student/decoder.h"
#include "student/float_buffer.h"
#include "student/parameters.h"
#include "student/student.h"

namespace tapir::student {

class TrainedWeights {
 public:
  // Reads the configuration of job.model_dir, no weights yet. Error{usage} when a LoRA option is
  // impossible for this student, or contradicts the adapter that model_dir holds.
  explicit TrainedWeights(const TrainJob& job);

  const StudentFolder& folder() const { return folder_; }
  const ModelConfig& config() const { return config_; }
  bool is_adapter() const { return adapter_.has_value(); }
  // Of what is learnt.
  const ParameterLayout& layout() const {
    return adapter_ ? adapter_->layout.values : base_layout_;
  }
  const ParameterLayout& base_layout() const { return base_layout_; }
  // With is_adapter():
  const AdapterLayout& adapter_layout() const { return adapter_->layout; }
  const AdapterConfig& adapter_config() const { return adapter_->config; }
  const float* base() const { return base_.data(); }  // the frozen weights, after read()

  // What is learnt at the start: the weights of model_dir (an adapter there merged in, when all of
  // them are learnt); the adapter that it holds, or a fresh one.
  void read(std::vector<float>& values);
  // The same of a checkpoint.
  void read_checkpoint(const std::filesystem::path& checkpoint, std::vector<float>& values);

  // How a finished training stores them: TrainOptions::save_dtype.
  StorageType saved_type() const;
  // What was learnt into `folder`, stored as `type`, with the other files of model_dir: a whole
  // student, or an adapter in PEFT's layout. Without any flush to the disk.
  void write(const std::filesystem::path& folder, const std::vector<float>& values,
             StorageType type) const;

 private:
  void read_base(float* out) const;

  const StudentFolder folder_;
  const std::uint64_t seed_;
  const std::string save_dtype_;
  ModelConfig config_;
  ParameterLayout base_layout_;
  std::optional<Adapter> adapter_;  // without values
  FloatBuffer base_;
  std::string base_digest_;
};

// What a decoder has to know of the training.
DecoderOptions decoder_options(const TrainedWeights& weights, const TrainJob& job);

}  // namespace tapir::student
