// The weights of a student folder, ready for decoding and scoring.
#pragma once

#include <filesystem>
#include <memory>

#include "student/decode_weights.h"
#include "student/row_decoder.h"
#include "student/torch_device.h"

namespace tapir::student {

// Read by memory map and packed in the stored type: takes the memory of the weights once.
// Error{data} as read_config() and StoredParameters.
// bf16: as DecodeWeights says.
std::shared_ptr<const DecodeWeights> load_decode_weights(const std::filesystem::path& folder,
                                                         bool bf16 = false);

// The same where `device` computes.
std::shared_ptr<const DecodeEngine> load_decode_engine(const std::filesystem::path& folder,
                                                       const Device& device);

}  // namespace tapir::student
