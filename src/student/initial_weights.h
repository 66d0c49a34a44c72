// Fresh weights. No torch here.
#pragma once

#include <cstdint>
#include <vector>

#include "student/config.h"
#include "student/parameters.h"

namespace tapir::student {

// As transformers makes them: matrices from normal(0, initializer_range), drawn from the stream
// (seed, "new student", parameter name); norms 1, biases 0. [layout.size]. On all cores; the same
// bits on any number of them.
std::vector<float> draw_initial_weights(const ModelConfig& config, const ParameterLayout& layout,
                                        std::uint64_t seed);

}  // namespace tapir::student
