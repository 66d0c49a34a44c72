#include "student/weight_names.h"

#include <algorithm>
#include <string>

namespace tapir::student {

std::vector<std::filesystem::path> list_weight_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool named = name.starts_with("model") || name.starts_with("adapter_model");
    if (named && name.ends_with(".safetensors")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace tapir::student
