// The safetensors files of a student folder, mapped: model.safetensors, or the shards that
// model.safetensors.index.json lists. No torch here.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "student/safetensors.h"

namespace tapir::student {

class WeightFiles {
 public:
  // Error{data}: a file that is missing or not sound, a tensor that stands in two files or not in
  // the one that the index says.
  explicit WeightFiles(const std::filesystem::path& folder);

  // By name; views live as long as the object.
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }

 private:
  void add(const std::filesystem::path& file);

  std::vector<SafetensorsFile> files_;
  std::map<std::string, TensorView> tensors_;
};

}  // namespace tapir::student
