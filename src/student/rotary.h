// The angles of rotary positions. No torch here.
#pragma once

#include <cstdint>
#include <vector>

#include "student/config.h"

namespace tapir::student {

// Inverse frequencies [head_dim / 2] with rope_scaling applied, in the steps and the precision in
// which transformers computes them (modeling_rope_utils.py).
std::vector<float> rotary_frequencies(const ModelConfig& config);

// Cosines and sines of the positions asked for so far. Use it from one thread at a time.
class RotaryTable {
 public:
  explicit RotaryTable(const ModelConfig& config) : frequencies_(rotary_frequencies(config)) {}

  // Positions [0, positions) are there afterwards.
  void extend(std::int64_t positions);
  const float* cosines() const { return cosines_.data(); }  // [positions, head_dim / 2]
  const float* sines() const { return sines_.data(); }

 private:
  std::vector<float> frequencies_;
  std::vector<float> cosines_;
  std::vector<float> sines_;
};

}  // namespace tapir::student
