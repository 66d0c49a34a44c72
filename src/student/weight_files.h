// The safetensors files of a student folder, mapped: model.safetensors, or the shards that
// model.safetensors.index.json lists. No torch here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/mapped_pages.h"
#include "student/config.h"
#include "student/safetensors.h"

namespace tapir::student {

// Thread-safe after construction.
class WeightFiles {
 public:
  // Error{data}: a file that is missing or not sound, a tensor that stands in two files, or not in
  // the one that the index says, or not in the index.
  explicit WeightFiles(const std::filesystem::path& folder);

  // By name; views live as long as the object. No memory is taken for them but that of the pages
  // that have been looked at.
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }

  // The file that holds a tensor of tensors().
  const std::filesystem::path& file_of(const std::string& name) const {
    return files_[place_of_.at(name)].path();
  }
  // Gives back the memory of a tensor that has been read; looked at again, it is read again.
  void let_go(const std::string& name) const { let_go_pages(tensors_.at(name).bytes); }
  // model.safetensors, or the index: what errors about the weights as a whole name.
  const std::filesystem::path& main_file() const { return main_file_; }

 private:
  void add_shards(const std::filesystem::path& folder);
  void add(const std::filesystem::path& file);

  std::filesystem::path main_file_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::size_t> place_of_;  // index into files_
};

DataType data_type(StorageType type);

// Changes what is stored.
struct WeightFileOptions {
  StorageType type = StorageType::float32;       // of every tensor
  std::uint64_t max_shard_size = 5'000'000'000;  // bytes, as in transformers; 0: one file
};

// Writes F32 tensors as model.safetensors or, beyond max_shard_size, as shards with their index,
// cut as transformers cuts them (in the given order; a larger tensor alone). Each file is whole or
// not there, and not flushed. Takes no more memory than a piece of a tensor.
void write_weight_files(const std::filesystem::path& folder,
                        const std::vector<NamedTensor>& tensors,
                        const WeightFileOptions& options = {});

}  // namespace tapir::student
