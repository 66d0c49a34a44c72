// What decoding one token of many rows needs besides kernels.h: products with weights that were
// packed once, and attention of one query over a cache. Every row is computed by itself, in one
// order of additions: its bits depend neither on how many rows are computed together nor on its
// place among them nor on how the columns are shared out. No torch here.
#pragma once

#include "student/kernels.h"

namespace tapir::student {

// ---- packed weights ----

// How weights are stored. They are widened on their way into registers: results are those of the
// widened weights, bit for bit (on bf16 units: up to the rounding of the other operand).
enum class WeightType { f32, bf16, f16 };
constexpr long size_of(WeightType type) { return type == WeightType::f32 ? 4 : 2; }

// W [out, in] in the order in which a set of kernels reads it.
struct PackedMatrix {
  WeightType type;
  long out, in;
  const void* data;  // packed_size(out, in) elements, 64-byte aligned
};

// Rows [first, first + rows) of W, to be put into their places.
struct PackRows {
  PackedMatrix matrix;
  long first, rows;
  const void* from;  // [rows, in], of the matrix's type; need not be aligned
  void* packed;      // matrix.data, to be written
};

// C[m, first..last) (+)= A[m, in] W^T. A and C are row-major, C has `out` columns.
struct PackedProduct {
  long m;
  const float* a;
  PackedMatrix w;
  float* c;
  bool accumulate;
  long first, last;  // columns: multiples of kColumnStep; last may be `out`
};
constexpr long kColumnStep = 32;

// ---- attention over a cache ----

// A row's keys and values lie in blocks of kCacheBlock positions, in the order in which a set of
// kernels reads them.
constexpr long kCacheBlock = 64;

// One token's keys and values of a layer, to be put into a block. REQUIRES: `place` - 1 is there,
// or `place` is even.
struct CachedToken {
  int kv_heads, head_dim;
  long place;           // in the block
  const float* keys;    // [kv heads, head_dim], rotated
  const float* values;  // likewise
  float* block_keys;    // where the layer's begin in the block, 64-byte aligned
  float* block_values;  // likewise
};

// One row's new token against the row's own cache, the new token's key and value included.
struct CachedAttention {
  long first;   // positions before it lie outside the row's window
  long length;  // positions in the cache, > first
  int heads, kv_heads, head_dim;
  float scale;                 // of the scores, 1 / sqrt(head_dim)
  const float* query;          // [heads, head_dim], rotated
  const float* const* blocks;  // [blocks of the cache]
  long keys;                   // where the layer's begin in a block
  long values;                 // likewise
  float* out;                  // [heads, head_dim]
  float* scratch;              // [cached_attention_scratch()]
  int kv_first, kv_last;       // kv heads to be done, with the heads that share them
};

// Floats of scratch for a cache of so many positions.
constexpr long cached_attention_scratch(long length, int head_dim) {
  return (length + kCacheBlock - 1) / kCacheBlock * kCacheBlock + (head_dim + 15) / 16 * 16;
}

struct DecodeKernels {
  // Elements that W [out, in] takes when packed.
  long (*packed_size)(long out, long in);
  void (*pack)(const PackRows&);
  void (*unpack_row)(const PackedMatrix&, long row, float* to);  // to: [in]
  void (*multiply_packed)(const PackedProduct&);
  // Floats that the keys (values) of one kv head take in a block.
  long (*cached_keys)(int head_dim);
  long (*cached_values)(int head_dim);
  void (*cache_token)(const CachedToken&);
  void (*attention)(const CachedAttention&);
  // The first of the largest; 0 when there is no number among them.
  long (*argmax)(const float* x, long size);
  // Whether matrices have to be bf16; what they are multiplied with is rounded to bf16 too, and so
  // are cached keys and values and what these are multiplied with.
  bool bf16 = false;
};

// The set that goes with kernels (found by its name).
const DecodeKernels& decode_kernels(const Kernels& kernels);
// Products on bf16 units. nullptr where bf16_kernels() is.
const DecodeKernels* bf16_decode_kernels();

}  // namespace tapir::student
