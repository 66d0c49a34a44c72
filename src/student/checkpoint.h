// What a training leaves on the disk: checkpoints to go on from, and the finished folder. Both are
// Hugging Face folders (transformers loads them) with two files more: optimizer.safetensors (the
// moments) and trainer_state.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "student/batching.h"
#include "student/optimizer.h"
#include "student/trained_weights.h"

namespace tapir::student {

// In the work folder and in the finished one: TensorBoard's event files.
constexpr const char* kEventFolder = "runs";

// The part of a training's state that is not arrays.
struct TrainerState {
  std::string job;      // digest of the job
  std::string version;  // StudentEngine::version() of the machine
  std::int64_t global_step = 0;
  std::int64_t optimizer_steps = 0;
  DataCursor cursor;
  std::int64_t micro_batch_tokens = 0;  // of a pass: a training that ran out of memory goes on with
                                        // what it came down to
  TrainResult result;                   // up to this step
};

// Error{data} naming the file. Nothing when the folder holds none.
std::optional<TrainerState> read_trainer_state(const std::filesystem::path& folder);

// What was learnt, moments (where there are any) and state into `folder`, beside the other files of
// the folder that the training began from (tokenizer, configs). For a folder that publish_folder()
// flushes and puts in place. type: of the weights' storage; to be gone on from to the bit, they are
// float32.
void write_training_folder(const std::filesystem::path& folder, const TrainedWeights& weights,
                           const TrainingState& arrays, const TrainerState& state,
                           StorageType type);

// Whether there is a file of moments, and what it holds. Error{data} when they do not fit.
bool holds_moments(const std::filesystem::path& folder);
void read_moments(const std::filesystem::path& folder, const ParameterLayout& layout,
                  std::string_view dtype, Moments& moments);

// Moments of a finished training or a checkpoint, as optim_state_dtype `dtype`, and the steps they
// have seen. Error{data} when they are missing or do not fit.
void read_moments(const std::filesystem::path& folder, const ParameterLayout& layout,
                  std::string_view dtype, TrainingState& arrays);

// The checkpoints in <output_dir>.work.
class CheckpointFolder {
 public:
  explicit CheckpointFolder(const std::filesystem::path& output_dir);

  const std::filesystem::path& work() const { return work_; }
  std::filesystem::path place(std::int64_t step) const;
  // Steps of the whole checkpoints, rising. What a kill left half-written is removed.
  std::vector<std::int64_t> sweep() const;
  // Written aside, then renamed into place; then only the newest `limit` are kept (0: all).
  void save(const TrainedWeights& weights, const TrainingState& arrays, const TrainerState& state,
            int limit) const;
  // Everything in work(), and work() itself.
  void remove() const;

 private:
  std::filesystem::path work_;
};

}  // namespace tapir::student
