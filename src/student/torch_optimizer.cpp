#include "student/torch_optimizer.h"

#include <algorithm>
#include <span>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <c10/core/GradMode.h>

#include "student/torch_memory.h"

namespace tapir::student {
namespace {

// What moments in bfloat16 are widened to at a time.
constexpr std::int64_t kPieceFloats = std::int64_t{1} << 24;

std::int64_t as_signed(std::uint64_t bits) { return static_cast<std::int64_t>(bits); }

// x ^= x >> shift, as unsigned numbers.
void fold(at::Tensor& x, int shift) {
  const std::int64_t rest = as_signed((std::uint64_t{1} << (64 - shift)) - 1);
  x.bitwise_xor_(x.bitwise_right_shift(shift).bitwise_and_(rest));
}

// The sixteen bits that Optimizer draws for each of so many elements; products wrap.
at::Tensor random_bits(std::uint64_t stream, std::int64_t first, std::int64_t size,
                       at::Device device) {
  at::Tensor x =
      at::arange(first + 1, first + 1 + size, at::TensorOptions().device(device).dtype(at::kLong));
  x.mul_(as_signed(0x9E3779B97F4A7C15ULL)).add_(as_signed(stream));
  fold(x, 30);
  x.mul_(as_signed(0xBF58476D1CE4E5B9ULL));
  fold(x, 27);
  x.mul_(as_signed(0x94D049BB133111EBULL));
  return x.bitwise_right_shift_(48).bitwise_and_(0xffff);
}

// As Optimizer rounds: random bits below the last place that is kept, then cut. Infinities and the
// NaN of arithmetic stay what they are.
void round_at_random(const at::Tensor& values, std::uint64_t stream, const at::Tensor& to) {
  at::Tensor bits = random_bits(stream, to.storage_offset(), to.numel(), to.device()).to(at::kInt);
  bits.add_(values.view(at::kInt)).bitwise_right_shift_(16);
  to.view(at::kShort).copy_(bits);
}

at::Tensor upload_moment(const std::vector<float>& fp32, const std::vector<std::uint16_t>& bf16,
                         at::Device device) {
  const auto on_device = at::TensorOptions().device(device);
  if (bf16.empty()) return upload_copy<float>(fp32, at::kFloat, on_device);
  return upload_copy<std::uint16_t>(bf16, at::kBFloat16, on_device);
}

}  // namespace

TorchOptimizer::TorchOptimizer(const ParameterLayout& layout, const TrainOptions& options,
                               LearntArrays arrays, const TrainingState& state)
    : options_(options),
      arrays_(std::move(arrays)),
      m_(upload_moment(state.moments.m, state.moments.m_bf16, arrays_.parameters.device())),
      v_(upload_moment(state.moments.v, state.moments.v_bf16, arrays_.parameters.device())),
      step_(at::full({}, static_cast<double>(state.optimizer_steps), arrays_.parameters.options())),
      steps_(state.optimizer_steps) {
  Group decaying{options.weight_decay, {}, {}, {}, {}};
  Group others{0, {}, {}, {}, {}};
  for (const Parameter& parameter : layout.parameters) {
    Group& group = parameter.decays() ? decaying : others;
    for (std::int64_t at = 0; at < parameter.size; at += kPieceFloats) {
      const std::int64_t size = std::min(kPieceFloats, parameter.size - at);
      const auto piece = [&](const at::Tensor& flat) {
        return flat.narrow(0, parameter.offset + at, size);
      };
      group.parameters.push_back(piece(arrays_.parameters));
      group.gradients.push_back(piece(arrays_.gradient));
      group.m.push_back(piece(m_));
      group.v.push_back(piece(v_));
    }
  }
  for (Group* group : {&decaying, &others}) {
    if (!group->parameters.empty()) groups_.push_back(std::move(*group));
  }
}

double TorchOptimizer::gradient_norm() const {
  const at::NoGradGuard no_gradients;
  std::vector<at::Tensor> norms;
  for (const Group& group : groups_) {
    for (const at::Tensor& norm : at::_foreach_norm(group.gradients)) norms.push_back(norm);
  }
  return at::stack(norms).to(at::kDouble).norm().item<double>();
}

void TorchOptimizer::apply(double norm, double learning_rate) {
  const at::NoGradGuard no_gradients;
  const double clip = clip_factor(norm, options_.max_grad_norm);
  if (clip < 1) arrays_.gradient.mul_(clip);
  step_.fill_(static_cast<double>(++steps_));
  for (const Group& group : groups_) {
    if (m_.scalar_type() == at::kFloat) {
      update(group, learning_rate);
    } else {
      update_bf16(group, learning_rate);
    }
  }
}

void TorchOptimizer::update(const Group& group, double learning_rate) const {
  const std::vector<at::Tensor> steps(group.parameters.size(), step_);
  at::_fused_adamw_(group.parameters, group.gradients, group.m, group.v, /*max_exp_avg_sqs=*/{},
                    steps, learning_rate, options_.adam_beta1, options_.adam_beta2,
                    group.weight_decay, options_.adam_epsilon, /*amsgrad=*/false,
                    /*maximize=*/false);
}

// Piece by piece, so that few moments are in fp32 at a time.
void TorchOptimizer::update_bf16(const Group& group, double learning_rate) const {
  const std::uint64_t stream = options_.seed + 2 * static_cast<std::uint64_t>(steps_);
  for (std::size_t i = 0; i < group.parameters.size(); ++i) {
    const Group piece{group.weight_decay,
                      {group.parameters[i]},
                      {group.gradients[i]},
                      {group.m[i].to(at::kFloat)},
                      {group.v[i].to(at::kFloat)}};
    update(piece, learning_rate);
    round_at_random(piece.m.front(), stream, group.m[i]);
    round_at_random(piece.v.front(), stream + 1, group.v[i]);
  }
}

Moments TorchOptimizer::moments() const {
  Moments moments;
  if (m_.scalar_type() == at::kFloat) {
    moments.m = download<float>(m_, at::kFloat);
    moments.v = download<float>(v_, at::kFloat);
  } else {
    moments.m_bf16 = download<std::uint16_t>(m_, at::kBFloat16);
    moments.v_bf16 = download<std::uint16_t>(v_, at::kBFloat16);
  }
  return moments;
}

}  // namespace tapir::student
