// What decoding one token of many rows needs besides kernels.h: products with weights that were
// packed once, and attention of one query over a cache. Every row is computed by itself, in one
// order of additions: its bits depend neither on how many rows are computed together nor on its
// place among them. No torch here.
#pragma once

#include "student/kernels.h"

namespace tapir::student {

// One row's new token against the row's own cache, the new token's key and value included.
struct CachedAttention {
  long length;    // positions in the cache, > 0
  long capacity;  // a multiple of kCacheStep
  int heads, kv_heads, head_dim;
  float scale;          // of the scores, 1 / sqrt(head_dim)
  const float* query;   // [heads, head_dim], rotated
  const float* keys;    // [kv heads, head_dim, capacity]
  const float* values;  // [kv heads, capacity, value_width(head_dim)]
  float* out;           // [heads, head_dim]
  float* scratch;       // [capacity]
  long first = 0;       // positions before it lie outside the row's window
};

constexpr long kCacheStep = 64;
// Floats of a position's values: a whole number of the widest vectors.
constexpr long value_width(int head_dim) { return (head_dim + 15) / 16 * 16; }

struct DecodeKernels {
  // Floats that W [out, in] takes when packed.
  long (*packed_size)(long out, long in);
  void (*pack)(const float* w, long out, long in, float* packed);
  // C[m, n] (+)= A[m, k] W^T with W [n, k] packed; `b` of the product is not looked at, A is
  // row-major.
  void (*multiply_packed)(const MatrixProduct&, const float* packed);
  void (*attention)(const CachedAttention&);
  // The first of the largest; 0 when there is no number among them.
  long (*argmax)(const float* x, long size);
};

// The set that goes with kernels (found by its name).
const DecodeKernels& decode_kernels(const Kernels& kernels);

}  // namespace tapir::student
