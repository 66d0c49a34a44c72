// Part of kernels_impl.h: compiled once per instruction set.
// Transposition of a matrix by squares that stay in registers.
#pragma once

#include "student/kernels_vector.h"

namespace tapir::student::TAPIR_KERNEL_SET {
namespace {

// Lanes of both by number, those of `second` from kLanes on.
inline Vector shuffled(Vector first, Vector second, IntVector lanes) {
#ifdef __clang__  // shuffles by constants only
  Vector out{};
  for (int i = 0; i < kLanes; ++i)
    out[i] = lanes[i] < kLanes ? first[lanes[i]] : second[lanes[i] - kLanes];
  return out;
#else
  return __builtin_shuffle(first, second, lanes);
#endif
}

// Turns a square of kLanes vectors over its diagonal.
inline void transpose_square(Vector (&rows)[kLanes]) {
#pragma GCC unroll 4
  for (int step = 1; step < kLanes; step *= 2) {
    IntVector first{};
    IntVector second{};
#pragma GCC unroll 16
    for (int lane = 0; lane < kLanes; ++lane) {
      first[lane] = (lane & step) != 0 ? kLanes + lane - step : lane;
      second[lane] = (lane & step) != 0 ? kLanes + lane : lane + step;
    }
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) {
      if ((i & step) != 0) continue;
      const Vector above = rows[i];
      rows[i] = shuffled(above, rows[i + step], first);
      rows[i + step] = shuffled(above, rows[i + step], second);
    }
  }
}

struct Transposition {
  long rows, columns;  // of `from`
  const float* from;
  long from_stride;
  float* to;
  long to_stride;
};

// to[c, r] = from[r, c].
inline void transpose(const Transposition& t) {
  const long whole_rows = t.rows / kLanes * kLanes;
  const long whole_columns = t.columns / kLanes * kLanes;
  for (long r = 0; r < whole_rows; r += kLanes) {
    for (long c = 0; c < whole_columns; c += kLanes) {
      Vector square[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) square[i] = load(t.from + (r + i) * t.from_stride + c);
      transpose_square(square);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) store(t.to + (c + i) * t.to_stride + r, square[i]);
    }
  }
  for (long r = 0; r < t.rows; ++r) {
    const float* row = t.from + r * t.from_stride;
    for (long c = r < whole_rows ? whole_columns : 0; c < t.columns; ++c)
      t.to[c * t.to_stride + r] = row[c];
  }
}

}  // namespace
}  // namespace tapir::student::TAPIR_KERNEL_SET
