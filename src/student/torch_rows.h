// Decoding on a device of torch. No torch here.
#pragma once

#include <functional>
#include <memory>

#include "student/parameters.h"
#include "student/row_decoder.h"
#include "student/torch_device.h"

namespace tapir::student {

// Writes a parameter's values: [parameter.size].
using ParameterReader = std::function<void(const Parameter& parameter, float* out)>;

// Weights and caches are bfloat16 when the student is stored in half precision, else fp32. Every
// step runs over all slots, empty ones too, so that a row's bits do not depend on how many others
// there are (on which ones they may, within the kernels of the device). Device out of memory:
// std::bad_alloc.
std::shared_ptr<const DecodeEngine> make_torch_decode_engine(const ModelConfig& config,
                                                             const ParameterReader& read,
                                                             const Device& device);

}  // namespace tapir::student
