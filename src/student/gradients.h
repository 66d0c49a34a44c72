// The gradient of one optimizer step, computed by several lanes.
#pragma once

#include <cstdint>
#include <vector>

#include "student/batching.h"
#include "student/decoder.h"
#include "student/lanes.h"

namespace tapir::student {

struct StepLoss {
  double loss = 0;  // mean over the step's supervised tokens
  std::int64_t tokens = 0;
  std::int64_t supervised_tokens = 0;
};

// One decoder and one gradient array per lane. Lanes, their rows and the order of every sum are
// fixed, so a step's bits do not depend on how many cores there are.
class LaneGradients {
 public:
  // micro_batch_tokens: of one forward pass; 0: chosen.
  LaneGradients(const ModelConfig& config, int lanes, std::int64_t micro_batch_tokens);

  // Gradients of the mean loss over the step's supervised tokens, one array per lane, to be summed.
  // With no supervised token at all, zeros.
  StepLoss compute(const float* parameters, const std::vector<const EncodedRow*>& rows,
                   LanePool& pool);
  std::vector<std::vector<float>>& gradients() { return gradients_; }

 private:
  std::int64_t micro_batch_tokens_;
  std::vector<Decoder> decoders_;
  std::vector<std::vector<float>> gradients_;
};

// Floating-point operations of the matrix products of forward and backward pass over these rows.
double step_operations(const ModelConfig& config, const std::vector<const EncodedRow*>& rows);

}  // namespace tapir::student
