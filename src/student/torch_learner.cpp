#include "student/torch_learner.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "base/error.h"
#include "student/torch_decoder.h"
#include "student/torch_memory.h"
#include "student/torch_optimizer.h"

namespace tapir::student {
namespace {

// As long as it lives: a training that is interrupted and goes on gives the bits of one that was
// not. Not "warn only": flash attention would then sum in any order. Memory that is written anyway
// need not be filled first.
class SameBitsEveryTime {
 public:
  SameBitsEveryTime() {
    context_.setDeterministicAlgorithms(true, /*warn_only=*/false);
    context_.setDeterministicFillUninitializedMemory(false);
  }
  ~SameBitsEveryTime() {
    context_.setDeterministicAlgorithms(algorithms_, warn_only_);
    context_.setDeterministicFillUninitializedMemory(fill_);
  }
  SameBitsEveryTime(const SameBitsEveryTime&) = delete;
  SameBitsEveryTime& operator=(const SameBitsEveryTime&) = delete;

 private:
  at::Context& context_ = at::globalContext();
  const bool algorithms_ = context_.deterministicAlgorithms();
  const bool warn_only_ = context_.deterministicAlgorithmsWarnOnly();
  const bool fill_ = context_.deterministicFillUninitializedMemory();
};

class TorchLearner final : public Learner {
 public:
  TorchLearner(const LearnerSetup& setup, const Device& device, const TrainingState& state);

  StepLoss compute(const std::vector<const EncodedRow*>& rows, std::int64_t step) override;
  double gradient_norm() override { return optimizer_.gradient_norm(); }
  void apply(double norm, double learning_rate) override { optimizer_.apply(norm, learning_rate); }
  StepLoss loss(const std::vector<const EncodedRow*>& rows) override;

  void read_state(const std::function<void(const TrainingState&)>& use) override;
  std::int64_t optimizer_steps() const override { return optimizer_.steps(); }

  std::int64_t micro_batch_tokens() const override { return passes_.micro_batch_tokens; }
  void set_micro_batch_tokens(std::int64_t tokens) override;

  double peak_operations() const override;
  std::int64_t memory() const override { return process_memory(name_).now; }

 private:
  using Pass = std::function<at::Tensor(const TorchBatch& batch)>;

  TorchDecoder make_decoder(const LearnerSetup& setup) const;
  // The sum of `pass` over all passes of these rows, divided by their supervised tokens.
  StepLoss for_each_pass(const std::vector<const EncodedRow*>& rows, std::int64_t step,
                         const Pass& pass);

  const SameBitsEveryTime same_bits_;
  const Device name_;
  const at::Device device_;
  const at::ScalarType compute_;  // type of the products
  LaneOptions passes_;
  const LearntArrays learnt_;
  TorchOptimizer optimizer_;
  TorchDecoder decoder_;
};

TorchLearner::TorchLearner(const LearnerSetup& setup, const Device& device,
                           const TrainingState& state)
    : name_(device),
      device_(device.torch_name()),
      compute_(setup.passes.decoder.bf16 ? at::kBFloat16 : at::kFloat),
      passes_(setup.passes),
      learnt_{upload_copy<float>(state.parameters, at::kFloat, at::TensorOptions().device(device_)),
              at::zeros({setup.layout.size}, at::TensorOptions().device(device_))},
      optimizer_(setup.layout, setup.options, learnt_, state),
      decoder_(make_decoder(setup)) {
  check(passes_.micro_batch_tokens > 0, "passes of some tokens");
}

TorchDecoder TorchLearner::make_decoder(const LearnerSetup& setup) const {
  const DecoderOptions& asked = setup.passes.decoder;
  TorchDecoderOptions options;
  options.compute = compute_;
  options.lora_dropout = asked.lora_dropout;
  options.gradient_checkpointing = asked.gradient_checkpointing;
  if (asked.logits_at_once > 0)
    options.logit_elements = asked.logits_at_once * setup.config.vocab_size;
  if (asked.adapter == nullptr) {
    return {setup.config, view_weights(setup.config, learnt_.parameters, learnt_.gradient),
            options};
  }
  // Frozen weights are kept as they are computed with.
  const std::span<const float> base(setup.passes.base,
                                    static_cast<std::size_t>(make_layout(setup.config).size));
  const at::Tensor frozen =
      upload_copy(base, at::kFloat, at::TensorOptions().device(device_).dtype(compute_));
  return {
      setup.config,
      view_weights(setup.config, frozen, {}, {asked.adapter, learnt_.parameters, learnt_.gradient}),
      options};
}

StepLoss TorchLearner::for_each_pass(const std::vector<const EncodedRow*>& rows, std::int64_t step,
                                     const Pass& pass) {
  return reporting_memory([&] {
    StepLoss total = count_tokens(rows);
    at::Tensor sum = at::zeros({}, at::TensorOptions().device(device_).dtype(at::kDouble));
    for (const PackedBatch& batch : make_passes(rows, passes_, step)) {
      if (batch.target_count() > 0) sum += pass(decoder_.upload(batch));
    }
    total.loss = sum.item<double>() / total.divisor();
    return total;
  });
}

StepLoss TorchLearner::compute(const std::vector<const EncodedRow*>& rows, std::int64_t step) {
  const double scale = 1 / count_tokens(rows).divisor();
  learnt_.gradient.zero_();
  return for_each_pass(
      rows, step, [&](const TorchBatch& batch) { return decoder_.add_gradients(batch, scale); });
}

StepLoss TorchLearner::loss(const std::vector<const EncodedRow*>& rows) {
  return for_each_pass(rows, kWithoutDropout, [&](const TorchBatch& batch) {
    return decoder_.logprobs(batch).sum(at::kDouble).neg();
  });
}

void TorchLearner::read_state(const std::function<void(const TrainingState&)>& use) {
  TrainingState state;
  state.parameters = download<float>(learnt_.parameters, at::kFloat);
  state.moments = optimizer_.moments();
  state.optimizer_steps = optimizer_.steps();
  use(state);
}

void TorchLearner::set_micro_batch_tokens(std::int64_t tokens) {
  passes_.micro_batch_tokens = tokens;
  // Pieces of the old size would not be put together again.
  if (!device_.is_cpu()) at::accelerator::emptyCache();
}

// Of the best matrix product out of a few.
double measured_operations(at::Device device, at::ScalarType type) {
  constexpr int kTries = 5;
  const std::int64_t size = device.is_cpu() ? 256 : 8192;
  const at::Tensor a = at::full({size, size}, 0.5, at::TensorOptions().device(device).dtype(type));
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    (void)at::mm(a, a).select(0, 0).sum().item<float>();  // waits for the device
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    best = std::max(best, 2.0 * static_cast<double>(size * size * size) / taken.count());
  }
  return best;
}

double TorchLearner::peak_operations() const {
  try {
    return measured_operations(device_, compute_);
  } catch (const c10::OutOfMemoryError&) {
    return 0;
  }
}

}  // namespace

std::unique_ptr<Learner> make_torch_learner(const LearnerSetup& setup, const Device& device,
                                            TrainingState state) {
  return reporting_memory([&] { return std::make_unique<TorchLearner>(setup, device, state); });
}

}  // namespace tapir::student
