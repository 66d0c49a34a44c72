// Where the parts of a student lie, and what they are. No torch here; in every build.
#pragma once

#include <filesystem>
#include <string>

namespace tapir::student {

// In the folder of an adapter, beside its weights.
inline constexpr const char* kAdapterConfigFile = "adapter_config.json";

// A whole student is there, or an adapter.
bool holds_student(const std::filesystem::path& folder);

// Error{usage} where no student can be written: a folder is replaced whole, so it needs a name of
// its own ("." and ".." are none) and holds nothing but a student.
void check_output_folder(const std::filesystem::path& folder);

struct StudentFolder {
  std::filesystem::path base;     // config.json and the weights
  std::filesystem::path words;    // tokenizer and chat format: the adapter's own where it has them
  std::filesystem::path adapter;  // empty: a whole student
  bool is_adapter() const { return !adapter.empty(); }
};

// Resolves base_model_name_or_path of an adapter: as it stands, or from the adapter's folder.
// Error{data} when the base is not there, or is an adapter itself.
StudentFolder find_student(const std::filesystem::path& folder);

// Digest of the tokenizer and chat template of a folder.
std::string words_digest(const std::filesystem::path& folder);
// Digest of all that decides what a student answers and what a training makes of it: configuration,
// weights in one file or in shards, words; of an adapter those of its base too. Reads every byte.
// Error{data}: no folder.
std::string student_digest(const std::filesystem::path& folder);

}  // namespace tapir::student
