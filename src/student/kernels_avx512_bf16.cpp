// Matrix products on bf16 units; compiled with -mavx512bf16 (CMakeLists.txt). As in kernels_impl.h:
// no library templates in here.
#include <immintrin.h>

#include "student/bf16_kernels.h"

#define TAPIR_KERNEL_SET avx512_bf16
#include "student/kernels_bf16_attention.h"
#include "student/kernels_bf16_words.h"
#include "student/kernels_transpose.h"

namespace tapir::student::avx512_bf16 {
namespace {

constexpr long kPairs = 128;      // words of depth in a packed panel
constexpr long kBlockRows = 240;  // rows of A that are packed at a time

// Lines run across the depth: to[pair * to_stride + place]. Places from `width` to the next whole
// vector become zero.
void pack_across(const Source& s, long depth, long width, Word* to, long to_stride) {
  for (long k = 0; k < depth; k += 2) {
    const float* even = s.from + k * s.stride;
    const bool has_odd = k + 1 < depth;
    const float* odd = has_odd ? even + s.stride : even;
    Word* out = to + k / 2 * to_stride;
    for (long i = 0; i < width; i += kLanes) {
      const __mmask16 mask = first_lanes(width - i);
      const __m512 a = _mm512_maskz_loadu_ps(mask, even + i);
      const __m512 b = _mm512_maskz_loadu_ps(has_odd ? mask : __mmask16{0}, odd + i);
      const __m512i low = widened(_mm512_cvtneps_pbh(a));
      const __m512i high = _mm512_slli_epi32(widened(_mm512_cvtneps_pbh(b)), 16);
      _mm512_storeu_si512(out + i, _mm512_or_si512(low, high));
    }
  }
}

struct PairTile {
  long pairs;
  const Word* a;  // word (i, k) at a[i * a_row + k * a_column]
  long a_row, a_column;
  const Word* b;  // [pairs, kPanel]
  float* c;
  long c_row;
  __mmask16 masks[2];  // columns of c that exist
  bool accumulate;
};

template <int Rows>
inline void multiply_pairs(const PairTile& t) {
  __m512 sums[Rows][2];
#pragma GCC unroll 12
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      sums[i][j] = t.accumulate ? _mm512_maskz_loadu_ps(t.masks[j], t.c + i * t.c_row + j * kLanes)
                                : _mm512_setzero_ps();
    }
  }
  const Word* a = t.a;
  const Word* b = t.b;
  for (long k = 0; k < t.pairs; ++k, a += t.a_column, b += kPanel) {
    const __m512bh first = as_bf16(_mm512_loadu_si512(b));
    const __m512bh second = as_bf16(_mm512_loadu_si512(b + kLanes));
#pragma GCC unroll 12
    for (int i = 0; i < Rows; ++i) {
      const __m512bh x = as_bf16(_mm512_set1_epi32(static_cast<int>(a[i * t.a_row])));
      sums[i][0] = _mm512_dpbf16_ps(sums[i][0], x, first);
      sums[i][1] = _mm512_dpbf16_ps(sums[i][1], x, second);
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j)
      _mm512_mask_storeu_ps(t.c + i * t.c_row + j * kLanes, t.masks[j], sums[i][j]);
  }
}

// The same for `rows` <= Rows known at run time only.
template <int Rows = kRows>
inline void multiply_some(long rows, const PairTile& tile) {
  if (rows == Rows) {
    multiply_pairs<Rows>(tile);
  } else if constexpr (Rows > 1) {
    multiply_some<Rows - 1>(rows, tile);
  }
}

// Columns [column, column + width) of B from row k on.
void pack_b(const MatrixProduct& p, long k, long depth, long column, long width, Word* panel) {
  const float* from = p.b + k * p.b_row + column * p.b_column;
  if (p.b_column == 1) {
    if (width <= kLanes) {
      for (long i = 0; i < (depth + 1) / 2; ++i)
        _mm512_storeu_si512(panel + i * kPanel + kLanes, _mm512_setzero_si512());
    }
    return pack_across({from, p.b_row}, depth, width, panel, kPanel);
  }
  alignas(64) float lines[kPanel * kPairs];  // words, moved as floats
  auto* words = reinterpret_cast<Word*>(lines);
  const long pairs = (depth + 1) / 2;
  if (width < kPanel)
    __builtin_memset(words + width * kPairs, 0,
                     static_cast<unsigned long>((kPanel - width) * kPairs) * sizeof(Word));
  pack_lines({from, p.b_column}, width, depth, words, kPairs);
  transpose({kPanel, pairs, lines, kPairs, reinterpret_cast<float*>(panel), kPanel});
}

void multiply_block(const MatrixProduct& p, long row, long k, const Word* a, bool a_lines) {
  alignas(64) Word panel[kPairs * kPanel];
  const long rows = smaller(kBlockRows, p.m - row);
  const long depth = smaller(2 * kPairs, p.k - k);
  for (long column = 0; column < p.n; column += kPanel) {
    const long width = smaller(kPanel, p.n - column);
    pack_b(p, k, depth, column, width, panel);
    PairTile tile{(depth + 1) / 2,
                  a,
                  a_lines ? kPairs : 1,
                  a_lines ? 1 : kBlockRows,
                  panel,
                  p.c + row * p.c_row + column,
                  p.c_row,
                  {first_lanes(width), first_lanes(width > kLanes ? width - kLanes : 0)},
                  p.accumulate || k > 0};
    for (long i = 0; i < rows; i += kRows) {
      multiply_some(smaller(kRows, rows - i), tile);
      tile.a += kRows * tile.a_row;
      tile.c += kRows * tile.c_row;
    }
  }
}

void multiply(const MatrixProduct& p) {
  alignas(64) Word a[kBlockRows * kPairs];
  const bool a_lines = p.a_column == 1;  // the lines of A in memory run along the depth
  for (long k = 0; k < p.k; k += 2 * kPairs) {
    const long depth = smaller(2 * kPairs, p.k - k);
    for (long row = 0; row < p.m; row += kBlockRows) {
      const long rows = smaller(kBlockRows, p.m - row);
      const float* from = p.a + row * p.a_row + k * p.a_column;
      if (a_lines) {
        pack_lines({from, p.a_row}, rows, depth, a, kPairs);
      } else {
        pack_across({from, p.a_column}, depth, rows, a, kBlockRows);
      }
      multiply_block(p, row, k, a, a_lines);
    }
  }
}

// ---- weights that were packed once ----

// A panel holds kPanel columns of W^T, all of its depth in words; what the last panel and an odd
// depth lack is 0.
constexpr long kBlockWords = kBlockRows * kPairs;  // of A, packed at a time

long pairs_of(long in) { return (in + 1) / 2; }

long packed_size(long out, long in) { return round_up(out, kPanel) * 2 * pairs_of(in); }

// Rows of W that lie in one panel.
void pack_into_panel(const PackRows& p, long row, long count, const unsigned short* from) {
  const long in = p.matrix.in;
  const long place = row % kPanel;
  Word* panel = static_cast<Word*>(p.packed) + (row - place) * pairs_of(in);
  const long filled = row + count == p.matrix.out ? kPanel : place + count;
  for (long k = 0; k < in; k += 2, panel += kPanel) {
    for (long j = 0; j < count; ++j) {
      unsigned short pair[2] = {0, 0};
      const unsigned long bytes = (k + 1 < in ? 2 : 1) * sizeof(unsigned short);
      __builtin_memcpy(pair, from + j * in + k, bytes);
      __builtin_memcpy(panel + place + j, pair, sizeof pair);
    }
    for (long j = place + count; j < filled; ++j) panel[j] = 0;
  }
}

void pack(const PackRows& p) {
  const auto* from = static_cast<const unsigned short*>(p.from);
  for (long row = p.first; row < p.first + p.rows;) {
    const long count = smaller(kPanel - row % kPanel, p.first + p.rows - row);
    pack_into_panel(p, row, count, from);
    row += count;
    from += count * p.matrix.in;
  }
}

void unpack_row(const PackedMatrix& w, long row, float* to) {
  const long place = row % kPanel;
  const Word* panel = static_cast<const Word*>(w.data) + (row - place) * pairs_of(w.in) + place;
  for (long k = 0; k < w.in; ++k) {
    const Word pair = panel[k / 2 * kPanel];
    const Word bits = k % 2 == 0 ? pair << 16U : pair & 0xffff0000U;
    __builtin_memcpy(to + k, &bits, sizeof bits);
  }
}

// Rows of A whose depth [2 * pair, 2 * (pair + pairs)) lies packed at `a`, a line each.
struct PackedRows {
  long row, rows;
  long pair, pairs;
  const Word* a;
};

void multiply_panels(const PackedProduct& p, const PackedRows& block) {
  const long out = p.w.out;
  for (long column = p.first; column < p.last; column += kPanel) {
    const long width = smaller(kPanel, out - column);
    const Word* panel = static_cast<const Word*>(p.w.data) + column * pairs_of(p.w.in);
    for (long k = 0; k < block.pairs; k += kPairs) {
      PairTile tile{smaller(kPairs, block.pairs - k),
                    block.a + k,
                    block.pairs,
                    1,
                    panel + (block.pair + k) * kPanel,
                    p.c + block.row * out + column,
                    out,
                    {first_lanes(width), first_lanes(width > kLanes ? width - kLanes : 0)},
                    p.accumulate || block.pair + k > 0};
      for (long i = 0; i < block.rows; i += kRows) {
        multiply_some(smaller(kRows, block.rows - i), tile);
        tile.a += kRows * tile.a_row;
        tile.c += kRows * tile.c_row;
      }
    }
  }
}

// Few rows are packed whole, so that a panel is read from its first word to its last.
void multiply_packed(const PackedProduct& p) {
  alignas(64) Word a[kBlockWords];
  const long in = p.w.in;
  for (long row = 0; row < p.m; row += kBlockRows) {
    const long rows = smaller(kBlockRows, p.m - row);
    const long most = kBlockWords / rows / kPairs * kPairs;
    for (long pair = 0; pair < pairs_of(in); pair += most) {
      const long pairs = smaller(most, pairs_of(in) - pair);
      const long depth = smaller(2 * pairs, in - 2 * pair);
      pack_lines({p.a + row * in + 2 * pair, in}, rows, depth, a, pairs);
      multiply_panels(p, {row, rows, pair, pairs, a});
    }
  }
}

}  // namespace

extern const Bf16Kernels table;
const Bf16Kernels table = {multiply,      packed_size,     pack,
                           unpack_row,    multiply_packed, cached_keys,
                           cached_values, cache_token,     cached_attention};

}  // namespace tapir::student::avx512_bf16
