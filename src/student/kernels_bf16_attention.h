// Part of kernels_avx512_bf16.cpp.
// A cache in blocks of words, and attention of one query over it. Of a kv head a block holds the
// keys [pairs of head_dim, kCacheBlock] and the values [pairs of positions, value_width].
#pragma once

#include "student/kernels_bf16_words.h"
#include "student/kernels_cache.h"
#include "student/kernels_softmax.h"

namespace tapir::student::TAPIR_KERNEL_SET {
namespace {

long cached_keys(int head_dim) { return (head_dim + 1) / 2 * kCacheBlock; }
long cached_values(int head_dim) { return kCacheBlock / 2 * value_width(head_dim); }

// Words are moved as floats: a cache is made of these.
inline void copy_word(const float* from, float* to) { __builtin_memcpy(to, from, sizeof(Word)); }
inline __m512bh broadcast_word(const float* from) {
  int word = 0;
  __builtin_memcpy(&word, from, sizeof word);
  return as_bf16(_mm512_set1_epi32(word));
}
inline __m512bh load_words(const float* from) { return as_bf16(_mm512_loadu_si512(from)); }

void cache_key(const float* key, long head_dim, float* to) {
  alignas(64) float words[kLanes];
  for (long d = 0; d < head_dim; d += kStep) {
    const long depth = smaller(kStep, head_dim - d);
    pack_lines({key + d, 0}, 1, depth, reinterpret_cast<Word*>(words), 0);
    for (long pair = 0; pair < (depth + 1) / 2; ++pair, to += kCacheBlock)
      copy_word(words + pair, to);
  }
}

// An even position takes the low halves and clears the high ones: what its neighbour is multiplied
// with before it is there is 0, but no number times 0 would have to be 0.
void cache_value(const float* value, long head_dim, bool odd, float* to) {
  for (long d = 0; d < head_dim; d += kLanes) {
    const __mmask16 mask = first_lanes(head_dim - d);
    __m512i words = widened(_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, value + d)));
    if (odd) words = _mm512_or_si512(_mm512_slli_epi32(words, 16), _mm512_loadu_si512(to + d));
    _mm512_storeu_si512(to + d, words);
  }
}

void cache_token(const CachedToken& token) {
  const long pair = token.place / 2 * value_width(token.head_dim);
  for (int head = 0; head < token.kv_heads; ++head) {
    const long from = static_cast<long>(head) * token.head_dim;
    cache_key(token.keys + from, token.head_dim,
              token.block_keys + head * cached_keys(token.head_dim) + token.place);
    cache_value(token.values + from, token.head_dim, token.place % 2 == 1,
                token.block_values + head * cached_values(token.head_dim) + pair);
  }
}

// scores[position] = scale * query . key, Chunks vectors of positions of one block. query: words.
// Pairs are added up in turn in two sums, so that one addition need not wait for the one before.
template <int Chunks>
inline void score_positions(const CachedAttention& a, const float* query, const float* keys,
                            float* scores) {
  __m512 sums[2][Chunks] = {};
  const long pairs = (a.head_dim + 1) / 2;
  const auto add = [&](long pair, __m512(&into)[Chunks]) {
    const __m512bh q = broadcast_word(query + pair);
#pragma GCC unroll 4
    for (int c = 0; c < Chunks; ++c)
      into[c] = _mm512_dpbf16_ps(into[c], q, load_words(keys + pair * kCacheBlock + c * kLanes));
  };
  long pair = 0;
  for (; pair + 2 <= pairs; pair += 2) {
    add(pair, sums[0]);
    add(pair + 1, sums[1]);
  }
  if (pair < pairs) add(pair, sums[0]);
#pragma GCC unroll 4
  for (int c = 0; c < Chunks; ++c)
    _mm512_storeu_ps(scores + c * kLanes,
                     _mm512_mul_ps(_mm512_add_ps(sums[0][c], sums[1][c]), _mm512_set1_ps(a.scale)));
}

// Vectors of out = sum of weight * value from element d on, two sums as above. weights: words, of
// the pairs of positions from `begin` on. values: where the head's begin in a block.
template <int Vectors>
inline void mix_values(const CachedAttention& a, long begin, long values, long d, float* out) {
  __m512 sums[2][Vectors] = {};
  const long width = value_width(a.head_dim);
  const float* weights = a.scratch + begin;
  const auto add = [&](const float* line, __m512(&into)[Vectors]) {
    const __m512bh weight = broadcast_word(weights++);
#pragma GCC unroll 4
    for (int i = 0; i < Vectors; ++i)
      into[i] = _mm512_dpbf16_ps(into[i], weight, load_words(line + i * kLanes));
  };
  for (long t = begin; t < a.length;) {
    const long place = t % kCacheBlock;
    const float* line = a.blocks[t / kCacheBlock] + values + place / 2 * width + d;
    long pairs = (smaller(a.length - t, kCacheBlock - place) + 1) / 2;
    t += 2 * pairs;
    for (; pairs >= 2; pairs -= 2, line += 2 * width) {
      add(line, sums[0]);
      add(line + width, sums[1]);
    }
    if (pairs == 1) add(line, sums[0]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < Vectors; ++i)
    _mm512_mask_storeu_ps(out + d + i * kLanes, first_lanes(a.head_dim - d - i * kLanes),
                          _mm512_add_ps(sums[0][i], sums[1][i]));
}

void cached_attention(const CachedAttention& a) {
  const int group = a.heads / a.kv_heads;
  const long begin = a.first / kLanes * kLanes;  // whole vectors
  float* query = a.scratch + round_up(a.length, kCacheBlock);
  for (int head = a.kv_first * group; head < a.kv_last * group; ++head) {
    const int kv = head / group;
    const long at = static_cast<long>(head) * a.head_dim;
    pack_lines({a.query + at, 0}, 1, a.head_dim, reinterpret_cast<Word*>(query), 0);
    score_cache<score_positions<4>, score_positions<1>>(a, query, begin,
                                                        a.keys + kv * cached_keys(a.head_dim));
    float* weights = a.scratch + begin;
    softmax_between(weights, a.first - begin, a.length - begin);
    // In place: what is written lies behind what is still to be read.
    pack_lines({weights, 0}, 1, a.length - begin, reinterpret_cast<Word*>(weights), 0);
    const long values = a.values + kv * cached_values(a.head_dim);
    long d = 0;
    for (; d + 3 * kLanes < a.head_dim; d += 4 * kLanes)
      mix_values<4>(a, begin, values, d, a.out + at);
    for (; d < a.head_dim; d += kLanes) mix_values<1>(a, begin, values, d, a.out + at);
  }
}

}  // namespace
}  // namespace tapir::student::TAPIR_KERNEL_SET
