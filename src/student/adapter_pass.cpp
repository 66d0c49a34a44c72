#include "student/adapter_pass.h"

#include <algorithm>

#include "base/error.h"

namespace tapir::student {
namespace {

// Spreads every bit of x over all others (the finaliser of MurmurHash3).
inline std::uint32_t mixed(std::uint32_t x) {
  x ^= x >> 16;
  x *= 0x85ebca6bU;
  x ^= x >> 13;
  x *= 0xc2b2ae35U;
  return x ^ (x >> 16);
}

void scale_by(float factor, float* values, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) values[i] *= factor;
}

}  // namespace

std::uint32_t dropout_hash(std::uint32_t x) { return mixed(x); }

std::uint32_t dropout_salt(std::size_t pair) { return mixed(static_cast<std::uint32_t>(pair) + 1); }

std::uint32_t dropout_bound(double dropout) {
  return static_cast<std::uint32_t>(dropout * 4294967296.0);
}

DropoutKey dropout_key(std::uint64_t row, std::int64_t position) {
  const auto low = static_cast<std::uint32_t>(row);
  const auto high = static_cast<std::uint32_t>(row >> 32);
  return mixed(mixed(low + static_cast<std::uint32_t>(position)) ^ high);
}

AdapterPass::AdapterPass(const AdapterLayout& layout, double dropout, const Kernels& kernels)
    : layout_(layout), dropout_(dropout), kernels_(kernels) {
  for (std::size_t i = 0; i < layout.pairs.size(); ++i) {
    const std::int64_t weight = layout.pairs[i].group;
    if (groups_.empty() || groups_.back().weight != weight) groups_.push_back({weight, i, i});
    groups_.back().end = i + 1;
  }
}

void AdapterPass::begin(const float* values, float* gradients, std::span<const DropoutKey> tokens) {
  values_ = values;
  gradients_ = gradients;
  tokens_ = tokens;
}

std::span<const LowRankPair> AdapterPass::pairs_of(const Linear& layer) const {
  const auto found = std::lower_bound(
      groups_.begin(), groups_.end(), layer.weight,
      [](const Group& group, std::int64_t weight) { return group.weight < weight; });
  if (found == groups_.end() || found->weight != layer.weight) return {};
  return std::span(layout_.pairs).subspan(found->first, found->end - found->first);
}

void AdapterPass::drop(const LowRankPair& pair, long rows, std::span<const std::int64_t> kept,
                       const float* from, float* to, bool accumulate) const {
  const std::uint32_t bound = dropout_bound(dropout_);
  const auto factor = static_cast<float>(1 / (1 - dropout_));
  const std::uint32_t salt = dropout_salt(static_cast<std::size_t>(&pair - layout_.pairs.data()));
  const auto width = static_cast<std::uint32_t>(pair.in);
  for (long row = 0; row < rows; ++row, from += width, to += width) {
    const auto token =
        static_cast<std::size_t>(kept.empty() ? row : kept[static_cast<std::size_t>(row)]);
    const std::uint32_t key = tokens_[token] ^ salt;
    for (std::uint32_t i = 0; i < width; ++i) {
      const float value = mixed(key + i) < bound ? 0.0F : from[i] * factor;
      to[i] = accumulate ? to[i] + value : value;
    }
  }
}

AdapterPass::Input AdapterPass::low_rank_input(const LowRankPair& pair, long rows, const float* x,
                                               std::span<const std::int64_t> kept) {
  if (drops()) {
    float* dropped = dropped_.reserve(rows * pair.in);
    drop(pair, rows, kept, x, dropped, /*accumulate=*/false);
    x = dropped;
  }
  float* low = low_.reserve(rows * pair.rank);
  kernels_.multiply({rows, pair.rank, pair.in, x, pair.in, 1, values_ + pair.a, 1, pair.in, low,
                     pair.rank, /*accumulate=*/false});
  scale_by(pair.scale, low, rows * pair.rank);
  return {x, low};
}

void AdapterPass::forward(const Linear& layer, const LinearForward& pass,
                          std::span<const std::int64_t> rows) {
  check(values_ != nullptr, "AdapterPass: begin() comes first");
  for (const LowRankPair& pair : pairs_of(layer)) {
    const Input input = low_rank_input(pair, pass.rows, pass.x, rows);
    kernels_.multiply({pass.rows, pair.out, pair.rank, input.low, pair.rank, 1, values_ + pair.b, 1,
                       pair.rank, pass.y + pair.column, layer.out, /*accumulate=*/true});
  }
}

void AdapterPass::backward(const Linear& layer, const LinearBackward& pass,
                           std::span<const std::int64_t> rows) {
  check(gradients_ != nullptr, "AdapterPass: begin() with gradients comes first");
  for (const LowRankPair& pair : pairs_of(layer)) {
    const Input input = low_rank_input(pair, pass.rows, pass.x, rows);
    const float* dy = pass.dy + pair.column;  // rows of layer.out
    // dB += dy^T low
    kernels_.multiply({pair.out, pair.rank, pass.rows, dy, 1, layer.out, input.low, pair.rank, 1,
                       gradients_ + pair.b, pair.rank, /*accumulate=*/true});
    // dlow = scale * dy B
    float* dlow = dlow_.reserve(pass.rows * pair.rank);
    kernels_.multiply({pass.rows, pair.rank, pair.out, dy, layer.out, 1, values_ + pair.b,
                       pair.rank, 1, dlow, pair.rank, /*accumulate=*/false});
    scale_by(pair.scale, dlow, pass.rows * pair.rank);
    // dA += dlow^T x
    kernels_.multiply({pair.rank, pair.in, pass.rows, dlow, 1, pair.rank, input.x, pair.in, 1,
                       gradients_ + pair.a, pair.in, /*accumulate=*/true});
    if (pass.dx == nullptr) continue;
    // dx += dropout(dlow A)
    const bool drop_after = drops();
    float* dx = drop_after ? dx_.reserve(pass.rows * pair.in) : pass.dx;
    kernels_.multiply({pass.rows, pair.in, pair.rank, dlow, pair.rank, 1, values_ + pair.a, pair.in,
                       1, dx, pair.in, /*accumulate=*/!drop_after});
    if (drop_after) drop(pair, pass.rows, rows, dx, pass.dx, /*accumulate=*/true);
  }
}

}  // namespace tapir::student
