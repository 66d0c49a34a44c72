// Part of kernels_impl.h: compiled once per instruction set.
// Stored weights become floats.
#pragma once

#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "student/kernels_vector.h"

namespace tapir::student::TAPIR_KERNEL_SET {
namespace {

struct Bfloat {
  unsigned short bits;
};
struct Half {
  unsigned short bits;
};

using Shorts = unsigned short __attribute__((vector_size(kLanes * 2), aligned(2), may_alias));
using Words = unsigned __attribute__((vector_size(kLanes * 4), may_alias));

inline Vector load_weights(const float* from) { return load(from); }

inline Vector load_weights(const Bfloat* from) {
  const Shorts bits = *reinterpret_cast<const Shorts*>(from);
  const Words words = __builtin_convertvector(bits, Words) << 16U;
  return reinterpret_cast<const Vector&>(words);
}

inline Vector load_weights(const Half* from) {
#if defined(__AVX512F__)
  // All lanes by a mask: the plain form makes GCC 12 warn of an uninitialized operand.
  const __m512 wide = _mm512_maskz_cvtph_ps(
      __mmask16{0xffff}, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  return reinterpret_cast<const Vector&>(wide);
#elif defined(__F16C__)
  const __m256 wide = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  return reinterpret_cast<const Vector&>(wide);
#else
  const Shorts bits = *reinterpret_cast<const Shorts*>(from);
  const Words wide = __builtin_convertvector(bits, Words);
  const Words sign = (wide & 0x8000U) << 16U;
  const Words rest = (wide & 0x7fffU) << 13U;
  // The exponent's bias grows by 112; subnormal numbers come out right by the same product.
  const Vector scaled = reinterpret_cast<const Vector&>(rest) * 0x1p112F;
  const Words infinite = rest | 0x7f800000U;
  const Words finite = reinterpret_cast<const Words&>(scaled);
  const Words magnitude = rest >= 0x0f800000U ? infinite : finite;
  const Words words = magnitude | sign;
  return reinterpret_cast<const Vector&>(words);
#endif
}

}  // namespace
}  // namespace tapir::student::TAPIR_KERNEL_SET
