// Part of decode_kernels_impl.h: compiled once per instruction set.
// A cache in blocks, and attention of one query over it. Of a kv head a block holds the keys
// [head_dim, kCacheBlock] and the values [kCacheBlock, value_width].
#pragma once

#include "student/kernels_cache.h"
#include "student/kernels_softmax.h"

namespace tapir::student::TAPIR_KERNEL_SET {
namespace {

long cached_keys(int head_dim) { return head_dim * kCacheBlock; }
long cached_values(int head_dim) { return kCacheBlock * value_width(head_dim); }

void cache_token(const CachedToken& token) {
  const long width = value_width(token.head_dim);
  const float* key = token.keys;
  const float* value = token.values;
  float* key_at = token.block_keys + token.place;
  float* value_at = token.block_values + token.place * width;
  for (int head = 0; head < token.kv_heads; ++head) {
    for (int d = 0; d < token.head_dim; ++d) key_at[d * kCacheBlock] = key[d];
    for (int d = 0; d < token.head_dim; ++d) value_at[d] = value[d];
    for (long d = token.head_dim; d < width; ++d) value_at[d] = 0;
    key += token.head_dim;
    value += token.head_dim;
    key_at += cached_keys(token.head_dim);
    value_at += cached_values(token.head_dim);
  }
}

// scores[position] = scale * query . key, Chunks vectors of positions of one block.
template <int Chunks>
inline void score_positions(const CachedAttention& a, const float* query, const float* keys,
                            float* scores) {
  Vector sums[Chunks] = {};
  for (int d = 0; d < a.head_dim; ++d) {
    const Vector q = broadcast(query[d]);
    const float* line = keys + d * kCacheBlock;
#pragma GCC unroll 4
    for (int c = 0; c < Chunks; ++c) sums[c] += q * load(line + c * kLanes);
  }
#pragma GCC unroll 4
  for (int c = 0; c < Chunks; ++c) store(scores + c * kLanes, sums[c] * a.scale);
}

// out = sum of weight * value: four sums, so that one addition need not wait for the one before.
// values: where the head's begin in a block.
void mix_values(const CachedAttention& a, long begin, long values, float* out) {
  const long width = value_width(a.head_dim);
  for (long d = 0; d < a.head_dim; d += kLanes) {
    Vector sums[4] = {};
    long t = begin;
    const auto at = [&](long position) {
      return a.blocks[position / kCacheBlock] + values + position % kCacheBlock * width + d;
    };
    for (; t + 4 <= a.length; t += 4) {  // never over a block's end
      const float* from = at(t);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) sums[i] += broadcast(a.scratch[t + i]) * load(from + i * width);
    }
    for (; t < a.length; ++t) sums[0] += broadcast(a.scratch[t]) * load(at(t));
    store_any(out + d, (sums[0] + sums[1]) + (sums[2] + sums[3]), smaller(kLanes, a.head_dim - d));
  }
}

void cached_attention(const CachedAttention& a) {
  const int group = a.heads / a.kv_heads;
  const long begin = a.first / kLanes * kLanes;  // whole vectors
  for (int head = a.kv_first * group; head < a.kv_last * group; ++head) {
    const int kv = head / group;
    const float* query = a.query + static_cast<long>(head) * a.head_dim;
    const long keys = a.keys + kv * cached_keys(a.head_dim);
    score_cache<score_positions<4>, score_positions<1>>(a, query, begin, keys);
    softmax_between(a.scratch + begin, a.first - begin, a.length - begin);
    mix_values(a, begin, a.values + kv * cached_values(a.head_dim),
               a.out + static_cast<long>(head) * a.head_dim);
  }
}

}  // namespace
}  // namespace tapir::student::TAPIR_KERNEL_SET
