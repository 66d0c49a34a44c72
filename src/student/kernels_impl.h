// The body of the kernels: included once per instruction set by kernels_<set>.cpp, which defines
// TAPIR_KERNEL_SET. Nothing here may use a library template: its code would be compiled for this
// instruction set and could be picked by the linker for the whole program.
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

// ---- matrix product ----

struct Tile {
  long depth;
  const float* a;
  long a_row, a_column;
  const float* b;  // rows of at least Columns vectors
  long b_row;
  float* c;
  long c_row;
  bool accumulate;
};

// C[Rows, Columns vectors] (+)= A[Rows, depth] B[depth, Columns vectors], accumulators in
// registers.
template <int Rows, int Columns>
inline void multiply_tile(const Tile& t) {
  Vector sums[Rows][Columns];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < Columns; ++j) {
      sums[i][j] = t.accumulate ? load(t.c + i * t.c_row + j * kLanes) : Vector{};
    }
  }
  const float* a = t.a;
  const float* b = t.b;
  for (long k = 0; k < t.depth; ++k, a += t.a_column, b += t.b_row) {
    Vector row[Columns];
#pragma GCC unroll 2
    for (int j = 0; j < Columns; ++j) row[j] = load(b + j * kLanes);
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
template <int Columns, int Rows = kRows>
inline void multiply_rows(long rows, const Tile& tile) {
  if (rows == Rows) {
    multiply_tile<Rows, Columns>(tile);
  } else if constexpr (Rows > 1) {
    multiply_rows<Columns, Rows - 1>(rows, tile);
  }
}

// `tile` for m rows, however many.
template <int Columns>
void multiply_strip(long m, Tile tile) {
  for (long i = 0; i < m; i += kRows) {
    multiply_rows<Columns>(smaller(kRows, m - i), tile);
    tile.a += kRows * tile.a_row;
    tile.c += kRows * tile.c_row;
  }
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
      rows[i] = __builtin_shuffle(above, rows[i + step], first);
      rows[i + step] = __builtin_shuffle(above, rows[i + step], second);
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

// Where the panel's vectors reach beyond C's last column: through a tile of our own.
template <int Columns>
void multiply_partial(const MatrixProduct& p, Tile tile, long column, long width) {
  alignas(64) float local[kRows * kPanel];
  for (long i = 0; i < p.m; i += kRows) {
    const long rows = smaller(kRows, p.m - i);
    float* c = p.c + i * p.c_row + column;
    Tile t = tile;
    t.a += i * tile.a_row;
    t.c = local;
    t.c_row = kPanel;
    t.accumulate = false;
    multiply_rows<Columns>(rows, t);
    for (long r = 0; r < rows; ++r) {
      for (long j = 0; j < width; ++j) {
        const float value = local[r * kPanel + j];
        c[r * p.c_row + j] = tile.accumulate ? c[r * p.c_row + j] + value : value;
      }
    }
  }
}

void multiply(const MatrixProduct& p) {
  alignas(64) float panel[kDepth * kPanel];
  for (long k = 0; k < p.k; k += kDepth) {
    const long depth = smaller(kDepth, p.k - k);
    for (long column = 0; column < p.n; column += kPanel) {
      const long width = smaller(kPanel, p.n - column);
      const bool two = width > kLanes;
      pack_panel(p, k, depth, column, width, panel);
      Tile tile{depth,
                p.a + k * p.a_column,
                p.a_row,
                p.a_column,
                panel,
                two ? kPanel : kLanes,
                p.c + column,
                p.c_row,
                p.accumulate || k > 0};
      if (width == kPanel) {
        multiply_strip<2>(p.m, tile);
      } else if (width == kLanes) {
        multiply_strip<1>(p.m, tile);
      } else if (two) {
        multiply_partial<2>(p, tile, column, width);
      } else {
        multiply_partial<1>(p, tile, column, width);
      }
    }
  }
}

// ---- norm, rotary, activation ----

void rms_norm(const RmsNorm& n) {
  for (long row = 0; row < n.rows; ++row) {
    const float* x = n.x + row * n.width;
    float* y = n.y + row * n.width;
    Vector squares{};
    for_vectors(n.width, [&](long i, long count) {
      const Vector value = load_any(x + i, count);
      squares += value * value;
    });
    const float inverse =
        1.0F / __builtin_sqrtf(sum(squares) / static_cast<float>(n.width) + n.epsilon);
    n.inverse_rms[row] = inverse;
    for_vectors(n.width, [&](long i, long count) {
      store_any(y + i, load_any(x + i, count) * inverse * load_any(n.weight + i, count), count);
    });
  }
}

// With u = x * inverse: dx = inverse * (w dy - u * mean(w dy u)), dw += dy u.
void rms_norm_backward(const RmsNormBackward& n) {
  for (long row = 0; row < n.rows; ++row) {
    const float* x = n.x + row * n.width;
    const float* dy = n.dy + row * n.width;
    float* dx = n.dx + row * n.width;
    const float inverse = n.inverse_rms[row];
    Vector dots{};
    for_vectors(n.width, [&](long i, long count) {
      const Vector u = load_any(x + i, count) * inverse;
      const Vector d = load_any(dy + i, count);
      dots += d * load_any(n.weight + i, count) * u;
      store_any(n.dweight + i, load_any(n.dweight + i, count) + d * u, count);
    });
    const float mean = sum(dots) / static_cast<float>(n.width);
    for_vectors(n.width, [&](long i, long count) {
      const Vector u = load_any(x + i, count) * inverse;
      const Vector g = load_any(dy + i, count) * load_any(n.weight + i, count) - u * mean;
      store_any(dx + i, load_any(dx + i, count) + g * inverse, count);
    });
  }
}

void rotary(const Rotary& r) {
  const long half = r.head_dim / 2;
  for (long row = 0; row < r.rows; ++row) {
    const float* cosines = r.cosines + r.positions[row] * half;
    const float* sines = r.sines + r.positions[row] * half;
    for (int head = 0; head < r.heads; ++head) {
      float* x = r.x + row * r.stride + static_cast<long>(head) * r.head_dim;
      for (long i = 0; i < half; ++i) {
        const float s = r.backward ? -sines[i] : sines[i];
        const float first = x[i];
        const float second = x[i + half];
        x[i] = first * cosines[i] - second * s;
        x[i + half] = second * cosines[i] + first * s;
      }
    }
  }
}

inline Vector sigmoid(Vector x) { return 1.0F / (1.0F + exponential(-x)); }

void swiglu(const SwiGlu& s) {
  for (long row = 0; row < s.rows; ++row) {
    const float* gate = s.gate_up + row * 2 * s.width;
    const float* up = gate + s.width;
    float* y = s.y + row * s.width;
    for_vectors(s.width, [&](long i, long count) {
      const Vector g = load_any(gate + i, count);
      store_any(y + i, g * sigmoid(g) * load_any(up + i, count), count);
    });
  }
}

void swiglu_backward(const SwiGluBackward& s) {
  for (long row = 0; row < s.rows; ++row) {
    const float* gate = s.gate_up + row * 2 * s.width;
    const float* dy = s.dy + row * s.width;
    float* dgate = s.dgate_up + row * 2 * s.width;
    for_vectors(s.width, [&](long i, long count) {
      const Vector g = load_any(gate + i, count);
      const Vector d = load_any(dy + i, count);
      const Vector sig = sigmoid(g);
      store_any(dgate + s.width + i, d * g * sig, count);
      store_any(dgate + i,
                d * load_any(gate + s.width + i, count) * sig * (1.0F + g * (1.0F - sig)), count);
    });
  }
}

// ---- attention ----

// Scratch of one head: matrices whose rows are padded with zeros to whole panels.
struct HeadScratch {
  long padded_length, padded_dim;
  float* key_panels;    // K^T: panels of kPanel keys, each [head_dim, kPanel]
  float* value_panels;  // V^T likewise (backward)
  float* keys;          // [padded_length, padded_dim] (backward)
  float* values;        // [padded_length, padded_dim]
  float* dkeys;         // backward
  float* dvalues;
  float* scores;  // [kRows, padded_length]
  float* dscores;
  float* queries;  // [kRows, padded_dim], times scale
  float* out;      // [kRows, padded_dim]
};

HeadScratch divide(const Attention& a) {
  HeadScratch s;
  s.padded_length = round_up(a.length, kPanel);
  s.padded_dim = round_up(a.head_dim, kLanes);
  const long matrix = s.padded_length * round_up(a.head_dim, 16);
  const long block = kRows * round_up(a.head_dim, 16);
  const long strip = kRows * s.padded_length;
  float* next = a.scratch;
  const auto take = [&next](long size) {
    float* place = next;
    next += size;
    return place;
  };
  s.key_panels = take(matrix);
  s.value_panels = take(matrix);
  s.keys = take(matrix);
  s.values = take(matrix);
  s.dkeys = take(matrix);
  s.dvalues = take(matrix);
  s.scores = take(strip);
  s.dscores = take(strip);
  s.queries = take(block);
  s.out = take(block);
  return s;
}

long row_stride(const Attention& a) {
  return static_cast<long>(a.heads + 2 * a.kv_heads) * a.head_dim;
}

// rows x head_dim floats into rows of padded_dim, times scale.
void copy_rows(const float* from, long stride, long rows, int dim, float scale, float* to,
               long padded) {
  for (long i = 0; i < rows; ++i) {
    for (int d = 0; d < dim; ++d) to[i * padded + d] = from[i * stride + d] * scale;
    for (long d = dim; d < padded; ++d) to[i * padded + d] = 0;
  }
}

void pack_panels(const float* from, long stride, long length, int dim, float* panels) {
  for (long first = 0; first < length; first += kPanel) {
    float* panel = panels + first * dim;
    const long count = smaller(kPanel, length - first);
    if (count < kPanel)
      __builtin_memset(panel, 0, static_cast<unsigned long>(dim) * kPanel * sizeof(float));
    transpose({count, dim, from + first * stride, stride, panel, kPanel});
  }
}

// out[rows, padded_length] = block[rows, head_dim] panels, for keys up to `keys`.
void multiply_panels(const float* block, long rows, const HeadScratch& s, int dim,
                     const float* panels, long keys, float* out) {
  for (long first = 0; first < keys; first += kPanel) {
    const Tile tile{dim,    block,       s.padded_dim,    1,    panels + first * dim,
                    kPanel, out + first, s.padded_length, false};
    multiply_rows<2>(rows, tile);
  }
}

// c[m, padded_dim] (+)= A[m, depth] b[depth, padded_dim].
void multiply_wide(long m, Tile tile, const HeadScratch& s) {
  long column = 0;
  for (; column + kPanel <= s.padded_dim; column += kPanel) {
    multiply_strip<2>(m, tile);
    tile.b += kPanel;
    tile.c += kPanel;
  }
  if (column < s.padded_dim) multiply_strip<1>(m, tile);
}

// The scores of query i become probabilities; keys behind it get exactly 0. Returns
// log(sum(exp(scores))).
float softmax_row(float* scores, long i, long keys) {
  constexpr float kMasked = -1e30F;
  const long padded = round_up(keys, kLanes);
  for (long j = i + 1; j < padded; ++j) scores[j] = kMasked;
  Vector best = load(scores);
  for (long j = kLanes; j < padded; j += kLanes) {
    const Vector value = load(scores + j);
    best = value > best ? value : best;
  }
  const float top = largest(best);
  Vector total{};
  for (long j = 0; j < padded; j += kLanes) {
    const Vector p = exponential(load(scores + j) - top);
    total += p;
    store(scores + j, p);
  }
  const float all = sum(total);
  const float inverse = 1.0F / all;
  for (long j = 0; j < padded; j += kLanes) store(scores + j, load(scores + j) * inverse);
  return top + __builtin_logf(all);
}

void attention(const Attention& a) {
  const HeadScratch s = divide(a);
  const long stride = row_stride(a);
  const int group = a.heads / a.kv_heads;
  for (int kv = 0; kv < a.kv_heads; ++kv) {
    const float* keys = a.qkv + static_cast<long>(a.heads + kv) * a.head_dim;
    const float* values = keys + static_cast<long>(a.kv_heads) * a.head_dim;
    pack_panels(keys, stride, a.length, a.head_dim, s.key_panels);
    copy_rows(values, stride, a.length, a.head_dim, 1.0F, s.values, s.padded_dim);
    for (int head = kv * group; head < (kv + 1) * group; ++head) {
      const long head_column = static_cast<long>(head) * a.head_dim;
      for (long first = 0; first < a.length; first += kRows) {
        const long rows = smaller(kRows, a.length - first);
        const long seen = first + rows;
        copy_rows(a.qkv + first * stride + head_column, stride, rows, a.head_dim, a.scale,
                  s.queries, s.padded_dim);
        multiply_panels(s.queries, rows, s, a.head_dim, s.key_panels, seen, s.scores);
        for (long r = 0; r < rows; ++r) {
          a.log_sum_exp[(first + r) * a.heads + head] =
              softmax_row(s.scores + r * s.padded_length, first + r, seen);
        }
        multiply_wide(rows,
                      {seen, s.scores, s.padded_length, 1, s.values, s.padded_dim, s.out,
                       s.padded_dim, false},
                      s);
        for (long r = 0; r < rows; ++r) {
          float* out = a.out + (first + r) * a.heads * a.head_dim + head_column;
          for (int d = 0; d < a.head_dim; ++d) out[d] = s.out[r * s.padded_dim + d];
        }
      }
    }
  }
}

// One block of queries of one head. scores become probabilities P, dscores become P (dP - sum(dout
// out)).
void backward_block(const AttentionBackward& b, const HeadScratch& s, int head, long first) {
  const Attention& a = b.forward;
  const long rows = smaller(kRows, a.length - first);
  const long seen = first + rows;
  const long padded = round_up(seen, kLanes);
  const long out_stride = static_cast<long>(a.heads) * a.head_dim;
  const long at = first * out_stride + static_cast<long>(head) * a.head_dim;
  const long stride = row_stride(a);
  const long query = first * stride + static_cast<long>(head) * a.head_dim;
  copy_rows(a.qkv + query, stride, rows, a.head_dim, a.scale, s.queries, s.padded_dim);
  copy_rows(b.dout + at, out_stride, rows, a.head_dim, 1.0F, s.out, s.padded_dim);
  multiply_panels(s.queries, rows, s, a.head_dim, s.key_panels, seen, s.scores);
  multiply_panels(s.out, rows, s, a.head_dim, s.value_panels, seen, s.dscores);
  for (long r = 0; r < rows; ++r) {
    float delta = 0;
    const float* out = a.out + at + r * out_stride;
    const float* dout = b.dout + at + r * out_stride;
    for (int d = 0; d < a.head_dim; ++d) delta += out[d] * dout[d];
    float* scores = s.scores + r * s.padded_length;
    float* dscores = s.dscores + r * s.padded_length;
    const float log_sum = a.log_sum_exp[(first + r) * a.heads + head];
    for (long j = first + r + 1; j < padded; ++j) scores[j] = -1e30F;
    for (long j = 0; j < padded; j += kLanes) {
      const Vector p = exponential(load(scores + j) - log_sum);
      store(scores + j, p);
      store(dscores + j, p * (load(dscores + j) - delta));
    }
  }
  // dV += P^T dO, dK += dS^T (Q scale), dQ = dS K scale.
  multiply_wide(
      seen,
      {rows, s.scores, 1, s.padded_length, s.out, s.padded_dim, s.dvalues, s.padded_dim, true}, s);
  multiply_wide(
      seen,
      {rows, s.dscores, 1, s.padded_length, s.queries, s.padded_dim, s.dkeys, s.padded_dim, true},
      s);
  multiply_wide(
      rows, {seen, s.dscores, s.padded_length, 1, s.keys, s.padded_dim, s.out, s.padded_dim, false},
      s);
  for (long r = 0; r < rows; ++r) {
    float* dquery = b.dqkv + query + r * stride;
    for (int d = 0; d < a.head_dim; ++d) dquery[d] = s.out[r * s.padded_dim + d] * a.scale;
  }
}

void attention_backward(const AttentionBackward& b) {
  const Attention& a = b.forward;
  const HeadScratch s = divide(a);
  const long stride = row_stride(a);
  const int group = a.heads / a.kv_heads;
  for (int kv = 0; kv < a.kv_heads; ++kv) {
    const long key_column = static_cast<long>(a.heads + kv) * a.head_dim;
    const long value_column = key_column + static_cast<long>(a.kv_heads) * a.head_dim;
    pack_panels(a.qkv + key_column, stride, a.length, a.head_dim, s.key_panels);
    pack_panels(a.qkv + value_column, stride, a.length, a.head_dim, s.value_panels);
    copy_rows(a.qkv + key_column, stride, a.length, a.head_dim, 1.0F, s.keys, s.padded_dim);
    const unsigned long bytes =
        static_cast<unsigned long>(s.padded_length * s.padded_dim) * sizeof(float);
    __builtin_memset(s.dkeys, 0, bytes);
    __builtin_memset(s.dvalues, 0, bytes);
    for (int head = kv * group; head < (kv + 1) * group; ++head) {
      for (long first = 0; first < a.length; first += kRows) backward_block(b, s, head, first);
    }
    for (long i = 0; i < a.length; ++i) {
      for (int d = 0; d < a.head_dim; ++d) {
        b.dqkv[i * stride + key_column + d] = s.dkeys[i * s.padded_dim + d];
        b.dqkv[i * stride + value_column + d] = s.dvalues[i * s.padded_dim + d];
      }
    }
  }
}

// ---- loss and optimizer ----

void cross_entropy(const CrossEntropy& c) {
  for (long row = 0; row < c.rows; ++row) {
    float* logits = c.logits + row * c.vocab;
    const float target = logits[c.targets[row]];
    Vector best = broadcast(logits[0]);
    for_vectors(c.vocab, [&](long i, long count) {
      const Vector value = load_any(logits + i, count, logits[0]);
      best = value > best ? value : best;
    });
    const float top = largest(best);
    Vector total{};
    for_vectors(c.vocab, [&](long i, long count) {
      total += exponential(load_any(logits + i, count, -1e30F) - top);
    });
    const float all = sum(total);
    c.logprobs[row] = target - top - __builtin_logf(all);
    if (c.gradient_scale == 0) continue;
    const float factor = c.gradient_scale / all;
    for_vectors(c.vocab, [&](long i, long count) {
      store_any(logits + i, exponential(load_any(logits + i, count) - top) * factor, count);
    });
    logits[c.targets[row]] -= c.gradient_scale;
  }
}

void add(float* y, const float* x, long size) {
  for (long i = 0; i < size; ++i) y[i] += x[i];
}

double sum_of_squares(const float* x, long size) {
  using Doubles = double __attribute__((vector_size(64)));
  Doubles sums{};
  long i = 0;
  for (; i + 8 <= size; i += 8) {
    for (int j = 0; j < 8; ++j)
      sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  }
  double total = 0;
  for (int j = 0; j < 8; ++j) total += sums[j];
  for (; i < size; ++i) total += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return total;
}

void adamw(const AdamW& o) {
  const float keep = 1.0F - o.learning_rate * o.weight_decay;
  const float step = o.learning_rate / o.correction1;
  const float root = __builtin_sqrtf(o.correction2);
  for (long i = 0; i < o.size; ++i) {
    const float g = o.gradient[i] * o.gradient_scale;
    const float m = o.m[i] + (1.0F - o.beta1) * (g - o.m[i]);
    const float v = o.beta2 * o.v[i] + (1.0F - o.beta2) * g * g;
    o.m[i] = m;
    o.v[i] = v;
    o.parameters[i] = o.parameters[i] * keep - step * m / (__builtin_sqrtf(v) / root + o.epsilon);
  }
}

}  // namespace

#define TAPIR_TEXT_OF(name) #name
#define TAPIR_TEXT(name) TAPIR_TEXT_OF(name)
extern const Kernels table;
const Kernels table = {TAPIR_TEXT(TAPIR_KERNEL_SET),
                       multiply,
                       rms_norm,
                       rms_norm_backward,
                       rotary,
                       attention,
                       attention_backward,
                       swiglu,
                       swiglu_backward,
                       cross_entropy,
                       add,
                       sum_of_squares,
                       adamw};

}  // namespace tapir::student::TAPIR_KERNEL_SET
