#include "student/optimizer.h"

#include <algorithm>
#include <cmath>

namespace tapir::student {
namespace {

constexpr std::int64_t kPieceFloats = 1 << 15;

}  // namespace

Optimizer::Optimizer(const ParameterLayout& layout, const TrainOptions& options)
    : options_(options), kernels_(kernels()) {
  for (const Parameter& parameter : layout.parameters) {
    for (std::int64_t at = 0; at < parameter.size; at += kPieceFloats) {
      pieces_.push_back(
          {parameter.offset + at, std::min(kPieceFloats, parameter.size - at), parameter.decays()});
    }
  }
}

double Optimizer::reduce(std::vector<std::vector<float>>& gradients, LanePool& pool) const {
  std::vector<double> squares(pieces_.size());
  pool.run([&](int lane) {
    for (auto i = static_cast<std::size_t>(lane); i < pieces_.size();
         i += static_cast<std::size_t>(pool.lanes())) {
      const Piece& piece = pieces_[i];
      float* sum = gradients[0].data() + piece.first;
      for (std::size_t other = 1; other < gradients.size(); ++other) {
        kernels_.add(sum, gradients[other].data() + piece.first, piece.size);
      }
      squares[i] = kernels_.sum_of_squares(sum, piece.size);
    }
  });
  double total = 0;
  for (const double square : squares) total += square;
  return std::sqrt(total);
}

void Optimizer::apply(const std::vector<float>& gradient, double norm, double learning_rate,
                      TrainingState& state, LanePool& pool) const {
  // As torch.nn.utils.clip_grad_norm_.
  const double clip =
      options_.max_grad_norm > 0 ? std::min(1.0, options_.max_grad_norm / (norm + 1e-6)) : 1.0;
  const auto steps = static_cast<double>(++state.optimizer_steps);
  AdamW base{};
  base.learning_rate = static_cast<float>(learning_rate);
  base.beta1 = static_cast<float>(options_.adam_beta1);
  base.beta2 = static_cast<float>(options_.adam_beta2);
  base.epsilon = static_cast<float>(options_.adam_epsilon);
  base.correction1 = static_cast<float>(1 - std::pow(options_.adam_beta1, steps));
  base.correction2 = static_cast<float>(1 - std::pow(options_.adam_beta2, steps));
  base.gradient_scale = static_cast<float>(clip);
  pool.run([&](int lane) {
    for (auto i = static_cast<std::size_t>(lane); i < pieces_.size();
         i += static_cast<std::size_t>(pool.lanes())) {
      const Piece& piece = pieces_[i];
      AdamW work = base;
      work.size = piece.size;
      work.weight_decay = piece.decays ? static_cast<float>(options_.weight_decay) : 0.0F;
      work.gradient = gradient.data() + piece.first;
      work.parameters = state.parameters.data() + piece.first;
      work.m = state.m.data() + piece.first;
      work.v = state.v.data() + piece.first;
      kernels_.adamw(work);
    }
  });
}

}  // namespace tapir::student
