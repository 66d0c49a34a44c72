// Part of kernels_avx512_bf16.cpp.
// Floats rounded to bf16, two to a word.
#pragma once

#include <immintrin.h>

#include "student/kernels_vector.h"

namespace tapir::student::TAPIR_KERNEL_SET {
namespace {

// A word holds two bf16 numbers that are neighbours along the depth of the product: what one lane
// of vdpbf16ps multiplies and adds.
using Word = unsigned;

constexpr long kStep = 2 * kLanes;  // floats that become one vector of words

inline __m512i as_integers(__m512bh x) { return reinterpret_cast<const __m512i&>(x); }
inline __m512bh as_bf16(__m512i x) { return reinterpret_cast<const __m512bh&>(x); }
inline __m512i widened(__m256bh x) {
  return _mm512_cvtepu16_epi32(reinterpret_cast<const __m256i&>(x));
}
inline __mmask16 first_lanes(long count) {
  return count >= kLanes ? static_cast<__mmask16>(0xffff)
                         : static_cast<__mmask16>((1U << static_cast<unsigned>(count)) - 1U);
}

// A matrix of floats, read along its contiguous dimension.
struct Source {
  const float* from;
  long stride;  // between contiguous lines
};

// Lines run along the depth: to[line * to_stride + pair], an odd depth ends with a zero.
inline void pack_lines(const Source& s, long lines, long depth, Word* to, long to_stride) {
  for (long line = 0; line < lines; ++line) {
    const float* from = s.from + line * s.stride;
    Word* out = to + line * to_stride;
    for (long k = 0; k < depth; k += kStep) {
      const long left = depth - k;
      const __m512 low = _mm512_maskz_loadu_ps(first_lanes(left), from + k);
      const __m512 high =
          _mm512_maskz_loadu_ps(first_lanes(left > kLanes ? left - kLanes : 0), from + k + kLanes);
      const __m512i words = as_integers(_mm512_cvtne2ps_pbh(high, low));
      _mm512_mask_storeu_epi32(out + k / 2, first_lanes((left + 1) / 2), words);
    }
  }
}

}  // namespace
}  // namespace tapir::student::TAPIR_KERNEL_SET
