// Part of kernels_impl.h: compiled once per instruction set.
// Matrix products by tiles that stay in registers.
#pragma once

#include "student/kernels_transpose.h"
#include "student/kernels_weights.h"

namespace tapir::student::TAPIR_KERNEL_SET {
namespace {

// Weight: how b is stored; it is widened to float.
template <typename Weight>
struct TileOf {
  long depth;
  const float* a;
  long a_row, a_column;
  const Weight* b;  // rows of at least Columns vectors
  long b_row;
  float* c;
  long c_row;
  bool accumulate;
};
using Tile = TileOf<float>;

// C[Rows, Columns vectors] (+)= A[Rows, depth] B[depth, Columns vectors], accumulators in
// registers.
template <int Rows, int Columns, typename Weight>
inline void multiply_tile(const TileOf<Weight>& t) {
  Vector sums[Rows][Columns];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < Columns; ++j) {
      sums[i][j] = t.accumulate ? load(t.c + i * t.c_row + j * kLanes) : Vector{};
    }
  }
  const float* a = t.a;
  const Weight* b = t.b;
  for (long k = 0; k < t.depth; ++k, a += t.a_column, b += t.b_row) {
    Vector row[Columns];
#pragma GCC unroll 2
    for (int j = 0; j < Columns; ++j) row[j] = load_weights(b + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const Vector x = broadcast(a[i * t.a_row]);
#pragma GCC unroll 2
      for (int j = 0; j < Columns; ++j) sums[i][j] += x * row[j];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < Columns; ++j) store(t.c + i * t.c_row + j * kLanes, sums[i][j]);
  }
}

// The same for `rows` <= Rows known at run time only.
template <int Columns, int Rows = kRows, typename Weight>
inline void multiply_rows(long rows, const TileOf<Weight>& tile) {
  if (rows == Rows) {
    multiply_tile<Rows, Columns, Weight>(tile);
  } else if constexpr (Rows > 1) {
    multiply_rows<Columns, Rows - 1>(rows, tile);
  }
}

// `tile` for m rows, however many.
template <int Columns, typename Weight>
void multiply_strip(long m, TileOf<Weight> tile) {
  for (long i = 0; i < m; i += kRows) {
    multiply_rows<Columns>(smaller(kRows, m - i), tile);
    tile.a += kRows * tile.a_row;
    tile.c += kRows * tile.c_row;
  }
}

// Columns [column, column + width) of B, rows [k, k + depth), padded with zeros to `padded`
// columns.
void pack_panel(const MatrixProduct& p, long k, long depth, long column, long width, float* panel) {
  const long padded = width > kLanes ? kPanel : kLanes;
  const float* from = p.b + k * p.b_row + column * p.b_column;
  if (width < padded)
    __builtin_memset(panel, 0, static_cast<unsigned long>(depth * padded) * sizeof(float));
  if (p.b_column != 1) return transpose({width, depth, from, p.b_column, panel, padded});
  for (long i = 0; i < depth; ++i) {
    const float* row = from + i * p.b_row;
    for_vectors(width, [&](long at, long count) {
      store_any(panel + i * padded + at, load_any(row + at, count), count);
    });
  }
}

// Where the panel's vectors reach beyond the last column of C (tile.c: `width` columns): through a
// tile of our own.
template <int Columns, typename Weight>
void multiply_partial(long m, const TileOf<Weight>& tile, long width) {
  alignas(64) float local[kRows * kPanel];
  for (long i = 0; i < m; i += kRows) {
    const long rows = smaller(kRows, m - i);
    float* c = tile.c + i * tile.c_row;
    TileOf<Weight> t = tile;
    t.a += i * tile.a_row;
    t.c = local;
    t.c_row = kPanel;
    t.accumulate = false;
    multiply_rows<Columns>(rows, t);
    for (long r = 0; r < rows; ++r) {
      for (long j = 0; j < width; ++j) {
        const float value = local[r * kPanel + j];
        c[r * tile.c_row + j] = tile.accumulate ? c[r * tile.c_row + j] + value : value;
      }
    }
  }
}

// `width` columns of C, however many rows.
template <typename Weight>
inline void multiply_columns(long m, const TileOf<Weight>& tile, long width) {
  if (width == kPanel) {
    multiply_strip<2>(m, tile);
  } else if (width == kLanes) {
    multiply_strip<1>(m, tile);
  } else if (width > kLanes) {
    multiply_partial<2>(m, tile, width);
  } else {
    multiply_partial<1>(m, tile, width);
  }
}

void multiply(const MatrixProduct& p) {
  alignas(64) float panel[kDepth * kPanel];
  for (long k = 0; k < p.k; k += kDepth) {
    const long depth = smaller(kDepth, p.k - k);
    for (long column = 0; column < p.n; column += kPanel) {
      const long width = smaller(kPanel, p.n - column);
      pack_panel(p, k, depth, column, width, panel);
      const Tile tile{depth,
                      p.a + k * p.a_column,
                      p.a_row,
                      p.a_column,
                      panel,
                      width > kLanes ? kPanel : kLanes,
                      p.c + column,
                      p.c_row,
                      p.accumulate || k > 0};
      multiply_columns(p.m, tile, width);
    }
  }
}

}  // namespace
}  // namespace tapir::student::TAPIR_KERNEL_SET
