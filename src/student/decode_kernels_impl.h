// The body of the decoding kernels, compiled by kernels_<set>.cpp together with kernels_impl.h,
// whose vectors and tiles it uses and whose rule holds here too: no library templates.
#include "student/decode_kernels.h"
#include "student/kernels_impl.h"

namespace tapir::student::TAPIR_KERNEL_SET {
namespace {

// ---- products with packed weights ----

// A panel holds kPanel columns of W^T (the last one kLanes when that is enough), all of its depth,
// row by row; so a block of kDepth rows lies in one piece.
long panel_width(long out, long column) { return out - column > kLanes ? kPanel : kLanes; }

long packed_size(long out, long in) {
  const long rest = out % kPanel;
  const long last = rest == 0 ? 0 : (rest > kLanes ? kPanel : kLanes);
  return (out / kPanel * kPanel + last) * in;
}

void pack(const float* w, long out, long in, float* packed) {
  for (long column = 0; column < out; column += kPanel) {
    const long padded = panel_width(out, column);
    const long width = smaller(padded, out - column);
    for (long k = 0; k < in; ++k) {
      for (long j = 0; j < padded; ++j) {
        packed[k * padded + j] = j < width ? w[(column + j) * in + k] : 0.0F;
      }
    }
    packed += padded * in;
  }
}

// As multiply(): the same blocks, so the same bits.
void multiply_packed(const MatrixProduct& p, const float* packed) {
  for (long column = 0; column < p.n; column += kPanel) {
    const long padded = panel_width(p.n, column);
    const long width = smaller(padded, p.n - column);
    for (long k = 0; k < p.k; k += kDepth) {
      const Tile tile{smaller(kDepth, p.k - k),
                      p.a + k * p.a_column,
                      p.a_row,
                      p.a_column,
                      packed + k * padded,
                      padded,
                      p.c + column,
                      p.c_row,
                      p.accumulate || k > 0};
      if (width == kPanel) {
        multiply_strip<2>(p.m, tile);
      } else if (width == kLanes) {
        multiply_strip<1>(p.m, tile);
      } else if (padded == kPanel) {
        multiply_partial<2>(p, tile, column, width);
      } else {
        multiply_partial<1>(p, tile, column, width);
      }
    }
    packed += padded * p.k;
  }
}

// ---- attention over the cache ----

// scores[position] = scale * query . key, Chunks vectors of positions.
template <int Chunks>
inline void score_positions(const CachedAttention& a, const float* query, const float* keys,
                            float* scores) {
  Vector sums[Chunks] = {};
  for (int d = 0; d < a.head_dim; ++d) {
    const Vector q = broadcast(query[d]);
    const float* line = keys + d * a.capacity;
#pragma GCC unroll 4
    for (int c = 0; c < Chunks; ++c) sums[c] += q * load(line + c * kLanes);
  }
#pragma GCC unroll 4
  for (int c = 0; c < Chunks; ++c) store(scores + c * kLanes, sums[c] * a.scale);
}

// Scores become weights that add up to 1; positions before the first and behind the row's length
// get 0.
void softmax_positions(float* scores, long first, long length) {
  const long padded = round_up(length, kLanes);
  for (long i = 0; i < first; ++i) scores[i] = -1e30F;
  for (long i = length; i < padded; ++i) scores[i] = -1e30F;
  Vector best = load(scores);
  for (long i = kLanes; i < padded; i += kLanes) {
    const Vector value = load(scores + i);
    best = value > best ? value : best;
  }
  const float top = largest(best);
  Vector total{};
  for (long i = 0; i < padded; i += kLanes) {
    const Vector value = exponential(load(scores + i) - top);
    store(scores + i, value);
    total += value;
  }
  const float inverse = 1.0F / sum(total);
  for (long i = 0; i < padded; i += kLanes) store(scores + i, load(scores + i) * inverse);
}

// out = sum of weight * value: four sums, so that one addition need not wait for the one before.
void mix_values(const CachedAttention& a, long begin, const float* values, const float* weights,
                float* out) {
  const long width = value_width(a.head_dim);
  for (long d = 0; d < a.head_dim; d += kLanes) {
    Vector sums[4] = {};
    long t = begin;
    for (; t + 4 <= a.length; t += 4) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        sums[i] += broadcast(weights[t + i]) * load(values + (t + i) * width + d);
      }
    }
    for (; t < a.length; ++t) sums[0] += broadcast(weights[t]) * load(values + t * width + d);
    store_any(out + d, (sums[0] + sums[1]) + (sums[2] + sums[3]), smaller(kLanes, a.head_dim - d));
  }
}

void cached_attention(const CachedAttention& a) {
  const int group = a.heads / a.kv_heads;
  const long begin = a.first / kLanes * kLanes;  // whole vectors
  for (int head = 0; head < a.heads; ++head) {
    const int kv = head / group;
    const float* query = a.query + static_cast<long>(head) * a.head_dim;
    const float* keys = a.keys + static_cast<long>(kv) * a.head_dim * a.capacity;
    long t = begin;
    for (; t + 3 * kLanes < a.length && t + 4 * kLanes <= a.capacity; t += 4 * kLanes) {
      score_positions<4>(a, query, keys + t, a.scratch + t);
    }
    for (; t < a.length; t += kLanes) score_positions<1>(a, query, keys + t, a.scratch + t);
    softmax_positions(a.scratch + begin, a.first - begin, a.length - begin);
    mix_values(a, begin, a.values + static_cast<long>(kv) * a.capacity * value_width(a.head_dim),
               a.scratch, a.out + static_cast<long>(head) * a.head_dim);
  }
}

long argmax(const float* x, long size) {
  Vector best = broadcast(-__builtin_inff());
  for_vectors(size, [&](long i, long count) {
    const Vector value = load_any(x + i, count, -__builtin_inff());
    best = value > best ? value : best;
  });
  const float top = largest(best);
  for (long i = 0; i < size; ++i) {
    if (x[i] == top) return i;
  }
  return 0;
}

}  // namespace

extern const DecodeKernels decode_table;
const DecodeKernels decode_table = {packed_size, pack, multiply_packed, cached_attention, argmax};

}  // namespace tapir::student::TAPIR_KERNEL_SET
