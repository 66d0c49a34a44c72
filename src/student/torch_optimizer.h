// AdamW over a flat array on a device of torch, by its fused kernel: the steps of Optimizer.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "student/optimizer.h"
#include "student/parameters.h"
#include "student/student.h"

namespace tapir::student {

// What is learnt and its gradient: [layout.size] each, fp32.
struct LearntArrays {
  at::Tensor parameters;
  at::Tensor gradient;
};

class TorchOptimizer {
 public:
  // Takes the state's moments and steps to the device of the arrays, which it shares.
  TorchOptimizer(const ParameterLayout& layout, const TrainOptions& options, LearntArrays arrays,
                 const TrainingState& state);

  // Waits for the device.
  double gradient_norm() const;
  // One step with the gradient, which is clipped to max_grad_norm.
  void apply(double norm, double learning_rate);

  std::int64_t steps() const { return steps_; }
  // A copy on the host, in the type they are kept in.
  Moments moments() const;

 private:
  // Pieces of parameters that AdamW treats alike.
  struct Group {
    double weight_decay;
    std::vector<at::Tensor> parameters, gradients, m, v;
  };

  void update(const Group& group, double learning_rate) const;
  void update_bf16(const Group& group, double learning_rate) const;

  const TrainOptions options_;
  const LearntArrays arrays_;
  at::Tensor m_, v_;  // [layout.size] fp32 or bfloat16
  at::Tensor step_;   // scalar: steps_, for the kernel
  std::int64_t steps_;
  std::vector<Group> groups_;
};

}  // namespace tapir::student
