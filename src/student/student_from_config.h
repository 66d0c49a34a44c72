// A fresh student of any family from a config.json: `tapir student new`. No torch here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "student/config.h"
#include "student/weight_files.h"

namespace tapir::student {

struct StudentFromConfig {
  std::filesystem::path config;     // a config.json as Hugging Face has it
  std::filesystem::path tokenizer;  // folder whose tokenizer files are copied; empty: none
  std::uint64_t seed = 0;
  std::optional<StorageType> torch_dtype;  // how the weights are stored; none: as config says
  std::uint64_t max_shard_size = WeightFileOptions{}.max_shard_size;  // bytes; 0: one file
};

struct StudentFromConfigSummary {
  ModelConfig config;
  std::int64_t parameters = 0;
  std::size_t files = 0;  // of the weights
};

// Writes a whole Hugging Face folder, published at once; an older one is replaced: config.json with
// all keys of the given one, generation_config.json, the tokenizer's files, and weights as
// transformers initialises them (initial_weights.h; the embedding of pad_token_id is 0).
// Error{data} as parse_config(), and when the tokenizer has more tokens than vocab_size.
StudentFromConfigSummary make_student_from_config(const StudentFromConfig& wanted,
                                                  const std::filesystem::path& folder);

}  // namespace tapir::student
