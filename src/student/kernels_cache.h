// Part of decode_kernels_impl.h and kernels_avx512_bf16.cpp: compiled once per instruction set.
// The way through a cache in blocks, whatever it holds.
#pragma once

#include "student/decode_kernels.h"
#include "student/kernels_vector.h"

namespace tapir::student::TAPIR_KERNEL_SET {
namespace {

// What a position's values take: whole vectors.
inline long value_width(int head_dim) { return round_up(head_dim, kLanes); }

// a.scratch[begin..length), and behind it up to a whole vector: Four scores four vectors of
// positions of one block, One a single vector. keys: where the head's begin in a block.
template <auto Four, auto One>
inline void score_cache(const CachedAttention& a, const float* query, long begin, long keys) {
  for (long t = begin; t < a.length;) {
    const long place = t % kCacheBlock;
    const float* from = a.blocks[t / kCacheBlock] + keys + place;
    const bool four = t + 3 * kLanes < a.length && place + 4 * kLanes <= kCacheBlock;
    if (four) {
      Four(a, query, from, a.scratch + t);
    } else {
      One(a, query, from, a.scratch + t);
    }
    t += four ? 4 * kLanes : kLanes;
  }
}

}  // namespace
}  // namespace tapir::student::TAPIR_KERNEL_SET
