// Part of kernels_impl.h: compiled once per instruction set.
// Vectors of the set, and what is built from them.
#pragma once

#include "student/kernels.h"

namespace tapir::student::TAPIR_KERNEL_SET {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;  // floats in a vector
constexpr int kRows = 12;   // rows of a tile: kRows * 2 accumulators stay in registers
#elif defined(__AVX2__)
constexpr int kLanes = 8;
constexpr int kRows = 6;
#else
constexpr int kLanes = 4;
constexpr int kRows = 6;
#endif
constexpr int kPanel = 2 * kLanes;  // columns of a tile
constexpr long kDepth = 256;        // of a packed panel, so that it stays in the nearest cache

using Vector = float __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
using IntVector = int __attribute__((vector_size(kLanes * 4)));

inline long round_up(long n, long step) { return (n + step - 1) / step * step; }
inline long smaller(long a, long b) { return a < b ? a : b; }

inline Vector load(const float* from) { return *reinterpret_cast<const Vector*>(from); }
inline void store(float* to, Vector value) { *reinterpret_cast<Vector*>(to) = value; }
inline Vector broadcast(float value) { return value - Vector{}; }

inline float sum(Vector x) {
  float total = 0;
  for (int i = 0; i < kLanes; ++i) total += x[i];
  return total;
}
inline float largest(Vector x) {
  float best = x[0];
  for (int i = 1; i < kLanes; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

// e^x to about 1 ulp; 0 below -87.3 (no subnormal results), e^88.3 above 88.3.
inline Vector exponential(Vector x) {
  const Vector low = broadcast(-87.3F);
  const Vector high = broadcast(88.3F);
  const Vector clamped = x < low ? low : (x > high ? high : x);
  const Vector rounding = broadcast(12582912.0F);  // 1.5 * 2^23: adding it rounds to a whole number
  const Vector shifted = clamped * 1.44269504F + rounding;
  const Vector n = shifted - rounding;
  const Vector r = (clamped - n * 0.693359375F) - n * -2.12194440e-4F;
  Vector p = broadcast(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  const IntVector exponent = __builtin_convertvector(n, IntVector) + 127;
  const IntVector bits = exponent << 23;
  const Vector power = reinterpret_cast<const Vector&>(bits);
  return x < low ? Vector{} : p * power;
}

// A few floats at the end of a row, padded.
inline Vector load_part(const float* from, long count, float padding) {
  Vector value = broadcast(padding);
  for (long i = 0; i < count; ++i) value[i] = from[i];
  return value;
}
inline void store_part(float* to, Vector value, long count) {
  for (long i = 0; i < count; ++i) to[i] = value[i];
}

// Calls body(vector_index_start, count) over a row: whole vectors, then what is left.
template <typename Body>
inline void for_vectors(long width, Body body) {
  long i = 0;
  for (; i + kLanes <= width; i += kLanes) body(i, static_cast<long>(kLanes));
  if (i < width) body(i, width - i);
}
inline Vector load_any(const float* from, long count, float padding = 0) {
  return count == kLanes ? load(from) : load_part(from, count, padding);
}
inline void store_any(float* to, Vector value, long count) {
  if (count == kLanes) return store(to, value);
  store_part(to, value, count);
}

}  // namespace
}  // namespace tapir::student::TAPIR_KERNEL_SET
