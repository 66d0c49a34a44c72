// Part of kernels_impl.h: compiled once per instruction set.
// Causal attention of one sequence, forward and backward.
#pragma once

#include "student/kernels_product.h"
#include "student/kernels_softmax.h"

namespace tapir::student::TAPIR_KERNEL_SET {
namespace {

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

// Keys of a block of queries [first, seen): those before `begin` lie outside every query's window.
// Scores of the block are counted from there.
long first_key(const Attention& a, long first) {
  if (a.window == 0 || first < a.window) return 0;
  return (first - a.window + 1) / kPanel * kPanel;
}

// Scores that query i (both counted from `begin`) must not see.
void mask_row(const Attention& a, float* scores, long i, long padded) {
  for (long j = i + 1; j < padded; ++j) scores[j] = kMasked;
  if (a.window == 0) return;
  for (long j = 0; j <= i - a.window; ++j) scores[j] = kMasked;
}

void attention(const Attention& a) {
  const HeadScratch s = divide(a);
  const long stride = row_stride(a);
  const int group = a.heads / a.kv_heads;
  for (int kv = a.kv_first; kv < (a.kv_last > 0 ? a.kv_last : a.kv_heads); ++kv) {
    const float* keys = a.qkv + static_cast<long>(a.heads + kv) * a.head_dim;
    const float* values = keys + static_cast<long>(a.kv_heads) * a.head_dim;
    pack_panels(keys, stride, a.length, a.head_dim, s.key_panels);
    copy_rows(values, stride, a.length, a.head_dim, 1.0F, s.values, s.padded_dim);
    for (int head = kv * group; head < (kv + 1) * group; ++head) {
      const long head_column = static_cast<long>(head) * a.head_dim;
      for (long first = 0; first < a.length; first += kRows) {
        const long rows = smaller(kRows, a.length - first);
        const long begin = first_key(a, first);
        const long keys_seen = first + rows - begin;
        copy_rows(a.qkv + first * stride + head_column, stride, rows, a.head_dim, a.scale,
                  s.queries, s.padded_dim);
        multiply_panels(s.queries, rows, s, a.head_dim, s.key_panels + begin * a.head_dim,
                        keys_seen, s.scores);
        for (long r = 0; r < rows; ++r) {
          float* scores = s.scores + r * s.padded_length;
          mask_row(a, scores, first + r - begin, round_up(keys_seen, kLanes));
          const ScoreSum sum = softmax_row(scores, keys_seen);
          a.log_sum_exp[(first + r) * a.heads + head] = sum.top + __builtin_logf(sum.total);
        }
        multiply_wide(rows,
                      {keys_seen, s.scores, s.padded_length, 1, s.values + begin * s.padded_dim,
                       s.padded_dim, s.out, s.padded_dim, false},
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
  const long begin = first_key(a, first);
  const long seen = first + rows - begin;
  const long padded = round_up(seen, kLanes);
  const long out_stride = static_cast<long>(a.heads) * a.head_dim;
  const long at = first * out_stride + static_cast<long>(head) * a.head_dim;
  const long stride = row_stride(a);
  const long query = first * stride + static_cast<long>(head) * a.head_dim;
  copy_rows(a.qkv + query, stride, rows, a.head_dim, a.scale, s.queries, s.padded_dim);
  copy_rows(b.dout + at, out_stride, rows, a.head_dim, 1.0F, s.out, s.padded_dim);
  multiply_panels(s.queries, rows, s, a.head_dim, s.key_panels + begin * a.head_dim, seen,
                  s.scores);
  multiply_panels(s.out, rows, s, a.head_dim, s.value_panels + begin * a.head_dim, seen, s.dscores);
  for (long r = 0; r < rows; ++r) {
    float delta = 0;
    const float* out = a.out + at + r * out_stride;
    const float* dout = b.dout + at + r * out_stride;
    for (int d = 0; d < a.head_dim; ++d) delta += out[d] * dout[d];
    float* scores = s.scores + r * s.padded_length;
    float* dscores = s.dscores + r * s.padded_length;
    const float log_sum = a.log_sum_exp[(first + r) * a.heads + head];
    mask_row(a, scores, first + r - begin, padded);
    for (long j = 0; j < padded; j += kLanes) {
      const Vector p = exponential(load(scores + j) - log_sum);
      store(scores + j, p);
      store(dscores + j, p * (load(dscores + j) - delta));
    }
  }
  // dV += P^T dO, dK += dS^T (Q scale), dQ = dS K scale.
  multiply_wide(seen,
                {rows, s.scores, 1, s.padded_length, s.out, s.padded_dim,
                 s.dvalues + begin * s.padded_dim, s.padded_dim, true},
                s);
  multiply_wide(seen,
                {rows, s.dscores, 1, s.padded_length, s.queries, s.padded_dim,
                 s.dkeys + begin * s.padded_dim, s.padded_dim, true},
                s);
  multiply_wide(rows,
                {seen, s.dscores, s.padded_length, 1, s.keys + begin * s.padded_dim, s.padded_dim,
                 s.out, s.padded_dim, false},
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

}  // namespace
}  // namespace tapir::student::TAPIR_KERNEL_SET
