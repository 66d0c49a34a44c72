// What a training learns with: weights, gradients and optimizer state, wherever they are. No torch
// here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "student/gradients.h"
#include "student/optimizer.h"
#include "student/parameters.h"
#include "student/student.h"
#include "student/torch_device.h"
#include "student/trained_weights.h"

namespace tapir::student {

// A step is compute(), gradient_norm(), apply(). Use it from one thread at a time. Out of memory is
// std::bad_alloc: compute() and loss() have then changed nothing, and may be called again with
// smaller passes.
class Learner {
 public:
  virtual ~Learner() = default;
  // The gradient of the mean loss over the rows' supervised tokens, held until apply(). step: names
  // the stream of dropout.
  virtual StepLoss compute(const std::vector<const EncodedRow*>& rows, std::int64_t step) = 0;
  virtual double gradient_norm() = 0;
  // One step with that gradient, clipped to max_grad_norm. norm: what gradient_norm() said.
  virtual void apply(double norm, double learning_rate) = 0;
  // The loss alone, without dropout.
  virtual StepLoss loss(const std::vector<const EncodedRow*>& rows) = 0;

  // Hands what is learnt, and the optimizer's state, to `use`: in fp32 and in the order of the
  // layout, so that a checkpoint does not tell where it was made. Of several ranks all call it, and
  // rank 0 alone is handed something.
  virtual void read_state(const std::function<void(const TrainingState&)>& use) = 0;
  virtual std::int64_t optimizer_steps() const = 0;

  virtual std::int64_t micro_batch_tokens() const = 0;
  // From now on passes of so many tokens.
  virtual void set_micro_batch_tokens(std::int64_t tokens) = 0;

  // Floating-point operations per second that it could do at best; 0 where there is no memory to
  // try. Takes some milliseconds.
  virtual double peak_operations() const = 0;
  // Bytes that it holds where it works.
  virtual std::int64_t memory() const = 0;
};

struct LearnerSetup {
  ModelConfig config;
  ParameterLayout layout;  // of what is learnt
  TrainOptions options;    // of the optimizer
  LaneOptions passes;      // decoder.adapter and base outlive the learner
};

// `weights` hold what is frozen: read, and there as long as the learner.
LearnerSetup learner_setup(const TrainedWeights& weights, const TrainJob& job,
                           std::int64_t micro_batch_tokens);

// On the CPU by own kernels, lanes side by side: the reference.
std::unique_ptr<Learner> make_lane_learner(const LearnerSetup& setup, TrainingState state);

// The one of the device, or of one of several ranks (TrainJob::ranks; the CPU's own kernels only).
std::unique_ptr<Learner> make_learner(const Device& device, const LearnerSetup& setup,
                                      TrainingState state,
                                      std::shared_ptr<Collective> ranks = nullptr);

}  // namespace tapir::student
