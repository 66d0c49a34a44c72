// Matrix products with bf16 units: operands are rounded to bf16 (to nearest, ties to even;
// subnormal numbers become 0), products are added in fp32. What comes in and goes out is fp32.
// Results depend on the inputs only. No torch here.
#pragma once

#include "student/decode_kernels.h"
#include "student/kernels.h"

namespace tapir::student {

struct Bf16Kernels {
  void (*multiply)(const MatrixProduct&);
  // With weights that were packed once, in bf16; as in DecodeKernels.
  long (*packed_size)(long out, long in);
  void (*pack)(const PackRows&);
  void (*unpack_row)(const PackedMatrix&, long row, float* to);
  void (*multiply_packed)(const PackedProduct&);
  // With keys and values that are kept in bf16; likewise.
  long (*cached_keys)(int head_dim);
  long (*cached_values)(int head_dim);
  void (*cache_token)(const CachedToken&);
  void (*attention)(const CachedAttention&);
};

// nullptr where the CPU (or what the program was compiled for) has no bf16 units: emulating them is
// slower than fp32.
const Bf16Kernels* bf16_kernels();

}  // namespace tapir::student
