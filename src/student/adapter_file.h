// Adapters on the disk, in PEFT's layout: adapter_config.json and adapter_model.safetensors. A
// folder that holds them is a student whose base stands elsewhere. No torch here.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "student/adapter.h"
#include "student/student_folder.h"

namespace tapir::student {

// Error{data} lists the keys that ask for something this student does not have (DoRA, biases, other
// peft types, patterns per layer).
AdapterConfig read_adapter_config(const std::filesystem::path& folder);
// The bytes of adapter_config.json, as PEFT writes it.
std::string adapter_config_text(const AdapterConfig& config);

struct Adapter {
  AdapterConfig config;
  AdapterLayout layout;
  std::vector<float> values;  // [layout.values.size]
};

// Reads the adapter in `folder` for a base with these weights. Error{data} when names or shapes do
// not fit the base, or when the file says that it was trained on other weights.
Adapter read_adapter(const std::filesystem::path& folder, const ParameterLayout& base,
                     const float* base_values);

// The metadata of adapter_model.safetensors: it names the base, so that another one is noticed.
std::map<std::string, std::string> adapter_metadata(const std::string& base_digest);

}  // namespace tapir::student
