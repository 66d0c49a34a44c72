// AdamW over the flat parameter array, with the gradients of several lanes.
#pragma once

#include <cstdint>
#include <vector>

#include "student/kernels.h"
#include "student/lanes.h"
#include "student/parameters.h"
#include "student/student.h"

namespace tapir::student {

// Weights and the optimizer's moments, all laid out as ParameterLayout says.
struct TrainingState {
  std::vector<float> parameters;
  std::vector<float> m;
  std::vector<float> v;
  std::int64_t optimizer_steps =
      0;  // steps the moments have seen, over all trainings they were carried through
};

class Optimizer {
 public:
  // Weight decay leaves the norms alone, as transformers' Trainer does.
  Optimizer(const ParameterLayout& layout, const TrainOptions& options);

  // Sums the lanes' gradients in lane order into the first and returns the norm of that sum. The
  // result does not depend on the number of threads.
  double reduce(std::vector<std::vector<float>>& gradients, LanePool& pool) const;

  // One step with the summed gradient, clipped to max_grad_norm.
  void apply(const std::vector<float>& gradient, double norm, double learning_rate,
             TrainingState& state, LanePool& pool) const;

 private:
  struct Piece {  // of one parameter, short enough to share out
    std::int64_t first;
    std::int64_t size;
    bool decays;
  };

  TrainOptions options_;
  const Kernels& kernels_;
  std::vector<Piece> pieces_;
};

}  // namespace tapir::student
