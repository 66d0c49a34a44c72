#include "student/learner.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "student/host_memory.h"
#include "student/metrics.h"
#include "student/rank_learner.h"
#include "student/torch_learner.h"

namespace tapir::student {
namespace {

class LaneLearner final : public Learner {
 public:
  LaneLearner(const LearnerSetup& setup, TrainingState state)
      : optimizer_(setup.layout, setup.options),
        pool_(setup.passes.lanes),
        gradients_(setup.config, setup.passes),
        state_(std::move(state)) {}

  StepLoss compute(const std::vector<const EncodedRow*>& rows, std::int64_t step) override {
    return gradients_.compute(state_.parameters.data(), rows, pool_, step);
  }
  double gradient_norm() override { return optimizer_.reduce(gradients_.gradients(), pool_); }
  void apply(double norm, double learning_rate) override {
    optimizer_.apply(gradients_.gradients().front(), norm, learning_rate, state_, pool_);
  }
  StepLoss loss(const std::vector<const EncodedRow*>& rows) override {
    return gradients_.loss(state_.parameters.data(), rows, pool_);
  }

  void read_state(const std::function<void(const TrainingState&)>& use) override { use(state_); }
  std::int64_t optimizer_steps() const override { return state_.optimizer_steps; }

  std::int64_t micro_batch_tokens() const override { return gradients_.micro_batch_tokens(); }
  void set_micro_batch_tokens(std::int64_t tokens) override {
    gradients_.set_micro_batch_tokens(tokens);
  }

  // Of all lanes that can run at once.
  double peak_operations() const override {
    const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    return measured_peak() * std::min(pool_.lanes(), cores);
  }
  std::int64_t memory() const override { return resident_memory(); }

 private:
  const Optimizer optimizer_;
  LanePool pool_;
  LaneGradients gradients_;
  TrainingState state_;
};

}  // namespace

LearnerSetup learner_setup(const TrainedWeights& weights, const TrainJob& job,
                           std::int64_t micro_batch_tokens) {
  LearnerSetup setup{weights.config(), weights.layout(), job.options, {}};
  setup.passes.lanes = job.options.lanes;
  setup.passes.micro_batch_tokens = micro_batch_tokens;
  setup.passes.best_fit = job.options.packing;
  setup.passes.decoder = decoder_options(weights, job);
  setup.passes.base = weights.base();
  setup.passes.seed = job.options.seed;
  return setup;
}

std::unique_ptr<Learner> make_lane_learner(const LearnerSetup& setup, TrainingState state) {
  return std::make_unique<LaneLearner>(setup, std::move(state));
}

std::unique_ptr<Learner> make_learner(const Device& device, const LearnerSetup& setup,
                                      TrainingState state, std::shared_ptr<Collective> ranks) {
  if (ranks) return make_rank_learner(setup, std::move(state), std::move(ranks));
  return device.own_kernels() ? make_lane_learner(setup, std::move(state))
                              : make_torch_learner(setup, device, std::move(state));
}

}  // namespace tapir::student
