#include "student/optimizer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "student/half.h"

namespace tapir::student {
namespace {

constexpr std::int64_t kPieceFloats = 1 << 15;

// Sixteen uniform bits for an element (the finaliser of SplitMix64).
inline std::uint32_t random_bits(std::uint64_t stream, std::int64_t element) {
  std::uint64_t x = stream + 0x9E3779B97F4A7C15ULL * static_cast<std::uint64_t>(element + 1);
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return static_cast<std::uint32_t>(x >> 48);
}

void widen(const std::uint16_t* from, std::int64_t count, float* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = bfloat_to_float(from[i]);
}

// Adds random bits below the last place that is kept, then cuts: the mean is the value itself.
void round_at_random(const float* from, std::int64_t count, std::uint64_t stream,
                     std::int64_t first, std::uint16_t* to) {
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(from[i]);
    to[i] = std::isfinite(from[i])
                ? static_cast<std::uint16_t>((bits + random_bits(stream, first + i)) >> 16)
                : float_to_bfloat(from[i]);
  }
}

}  // namespace

void Moments::clear(std::int64_t size, std::string_view dtype) {
  const auto count = static_cast<std::size_t>(size);
  *this = {};
  if (dtype == "bfloat16") {
    m_bf16.assign(count, 0);
    v_bf16.assign(count, 0);
  } else {
    check(dtype == "float32", "Moments: float32 or bfloat16");
    m.assign(count, 0.0F);
    v.assign(count, 0.0F);
  }
}

double clip_factor(double norm, double max_norm) {
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
}

Optimizer::Optimizer(const ParameterLayout& layout, const TrainOptions& options)
    : Optimizer(layout, options, Shard{0, layout.size}) {}

Optimizer::Optimizer(const ParameterLayout& layout, const TrainOptions& options, const Shard& part)
    : options_(options), kernels_(kernels()), first_(part.first) {
  for (const Parameter& parameter : layout.parameters) {
    const std::int64_t begin = std::max(parameter.offset, part.first);
    const std::int64_t end = std::min(parameter.offset + parameter.size, part.last);
    for (std::int64_t at = begin; at < end; at += kPieceFloats) {
      pieces_.push_back({at, std::min(kPieceFloats, end - at), parameter.decays()});
    }
  }
}

void Optimizer::for_each_piece(
    LanePool& pool, const std::function<void(std::size_t piece, std::size_t lane)>& work) const {
  pool.run([&](int lane) {
    for (auto i = static_cast<std::size_t>(lane); i < pieces_.size();
         i += static_cast<std::size_t>(pool.lanes())) {
      work(i, static_cast<std::size_t>(lane));
    }
  });
}

double Optimizer::reduce(std::vector<std::vector<float>>& gradients, LanePool& pool) const {
  std::vector<double> squares(pieces_.size());
  for_each_piece(pool, [&](std::size_t i, std::size_t) {
    const Piece& piece = pieces_[i];
    float* sum = gradients[0].data() + piece.first;
    for (std::size_t other = 1; other < gradients.size(); ++other) {
      kernels_.add(sum, gradients[other].data() + piece.first, piece.size);
    }
    squares[i] = kernels_.sum_of_squares(sum, piece.size);
  });
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

double Optimizer::sum_of_squares(const std::vector<float>& gradient, LanePool& pool) const {
  std::vector<double> squares(pieces_.size());
  for_each_piece(pool, [&](std::size_t i, std::size_t) {
    squares[i] = kernels_.sum_of_squares(gradient.data() + pieces_[i].first, pieces_[i].size);
  });
  return std::accumulate(squares.begin(), squares.end(), 0.0);
}

void Optimizer::apply(const std::vector<float>& gradient, double norm, double learning_rate,
                      TrainingState& state, LanePool& pool) const {
  const double clip = clip_factor(norm, options_.max_grad_norm);
  const auto steps = static_cast<double>(++state.optimizer_steps);
  AdamW base{};
  base.learning_rate = static_cast<float>(learning_rate);
  base.beta1 = static_cast<float>(options_.adam_beta1);
  base.beta2 = static_cast<float>(options_.adam_beta2);
  base.epsilon = static_cast<float>(options_.adam_epsilon);
  base.correction1 = static_cast<float>(1 - std::pow(options_.adam_beta1, steps));
  base.correction2 = static_cast<float>(1 - std::pow(options_.adam_beta2, steps));
  base.gradient_scale = static_cast<float>(clip);
  std::vector<Scratch> scratch(static_cast<std::size_t>(pool.lanes()));
  for_each_piece(pool, [&](std::size_t i, std::size_t lane) {
    AdamW work = base;
    work.gradient = gradient.data() + pieces_[i].first;
    apply_piece(pieces_[i], work, state, scratch[lane]);
  });
}

void Optimizer::apply_piece(const Piece& piece, AdamW work, TrainingState& state,
                            Scratch& scratch) const {
  Moments& moments = state.moments;
  work.size = piece.size;
  work.weight_decay = piece.decays ? static_cast<float>(options_.weight_decay) : 0.0F;
  work.parameters = state.parameters.data() + piece.first;
  const std::int64_t at = piece.first - first_;
  if (!moments.is_bf16()) {
    work.m = moments.m.data() + at;
    work.v = moments.v.data() + at;
    kernels_.adamw(work);
    return;
  }
  scratch.m.resize(kPieceFloats);
  scratch.v.resize(kPieceFloats);
  work.m = scratch.m.data();
  work.v = scratch.v.data();
  widen(moments.m_bf16.data() + at, piece.size, work.m);
  widen(moments.v_bf16.data() + at, piece.size, work.v);
  kernels_.adamw(work);
  const std::uint64_t stream =
      options_.seed + 2 * static_cast<std::uint64_t>(state.optimizer_steps);
  round_at_random(work.m, piece.size, stream, piece.first, moments.m_bf16.data() + at);
  round_at_random(work.v, piece.size, stream + 1, piece.first, moments.v_bf16.data() + at);
}

}  // namespace tapir::student
