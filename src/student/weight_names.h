// Which files of a folder hold weights. No torch here.
#pragma once

#include <filesystem>
#include <vector>

namespace tapir::student {

// model.safetensors or its shards, and adapter_model.safetensors: those that are there, by name.
std::vector<std::filesystem::path> list_weight_files(const std::filesystem::path& folder);

}  // namespace tapir::student
