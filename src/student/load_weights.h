// The weights of a student folder, ready for decoding and scoring.
#pragma once

#include <filesystem>
#include <memory>

#include "student/decode_weights.h"

namespace tapir::student {

// Error{data} as load_model().
std::shared_ptr<const DecodeWeights> load_decode_weights(const std::filesystem::path& folder);

}  // namespace tapir::student
