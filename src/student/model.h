// A loaded student's weights. Internal to student/. No torch here.
#pragma once

#include <filesystem>
#include <memory>

#include "student/config.h"
#include "student/float_buffer.h"
#include "student/parameters.h"

namespace tapir::student {

// Immutable after loading; thread-safe for reading.
struct Model {
  ModelConfig config;
  ParameterLayout layout;
  FloatBuffer values;  // [layout.size]

  const float* parameters() const { return values.data(); }
};

// An adapter is merged into its base. Error{data} as read_config(), read_parameters() and
// read_adapter().
std::shared_ptr<const Model> load_model(const std::filesystem::path& folder);

}  // namespace tapir::student
