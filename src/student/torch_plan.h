// What a pass of the ATen decoder holds, and what it takes. No torch here.
#pragma once

#include <cstdint>

#include "student/config.h"
#include "student/decoder.h"
#include "student/torch_device.h"

namespace tapir::student {

// Tokens: enough to keep a GPU busy with a model of a few billion weights.
constexpr std::int64_t kTorchMicroBatchTokens = 8192;
// Logits that exist at a time.
constexpr std::int64_t kTorchLogitElements = std::int64_t{1} << 26;

// Bytes of the device at the peak of a pass with gradients, beside weights, gradients and moments.
std::int64_t torch_training_bytes(const ModelConfig& config, const DecoderOptions& options,
                                  const PassSize& pass, const Device& device);

}  // namespace tapir::student
