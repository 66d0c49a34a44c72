// The body of the decoding kernels, compiled by kernels_<set>.cpp together with kernels_impl.h,
// whose vectors and tiles it uses and whose rule holds here too: no library templates.
#include "student/decode_kernels_attention.h"
#include "student/kernels_impl.h"

namespace tapir::student::TAPIR_KERNEL_SET {
namespace {

// A panel holds kPanel columns of W^T (the last one kLanes when that is enough), all of its depth,
// row by row; so a block of kDepth rows lies in one piece. The panel of column c begins at c * in.
long panel_width(long out, long column) { return out - column > kLanes ? kPanel : kLanes; }

long packed_size(long out, long in) {
  const long rest = out % kPanel;
  const long last = rest == 0 ? 0 : (rest > kLanes ? kPanel : kLanes);
  return (out / kPanel * kPanel + last) * in;
}

// Rows that lie in one panel. Weight: an unsigned type of the weights' size.
template <typename Weight>
void pack_into_panel(const PackRows& p, long row, long count, const Weight* from) {
  const long in = p.matrix.in;
  const long column = row / kPanel * kPanel;
  const long padded = panel_width(p.matrix.out, column);
  Weight* panel = static_cast<Weight*>(p.packed) + column * in;
  const long place = row - column;
  const long filled = row + count == p.matrix.out ? padded : place + count;  // the rest is 0
  for (long k = 0; k < in; ++k) {
    Weight* to = panel + k * padded;
    for (long j = 0; j < count; ++j)
      __builtin_memcpy(to + place + j, from + j * in + k, sizeof(Weight));
    for (long j = place + count; j < filled; ++j) to[j] = 0;
  }
}

template <typename Weight>
void pack_typed(const PackRows& p) {
  const auto* from = static_cast<const Weight*>(p.from);
  for (long row = p.first; row < p.first + p.rows;) {
    const long count = smaller(kPanel - row % kPanel, p.first + p.rows - row);
    pack_into_panel(p, row, count, from);
    row += count;
    from += count * p.matrix.in;
  }
}

void pack(const PackRows& p) {
  if (p.matrix.type == WeightType::f32) return pack_typed<unsigned>(p);
  pack_typed<unsigned short>(p);
}

// One element at a time, by way of the vector that holds it.
template <typename Weight>
void unpack_typed(const PackedMatrix& w, long row, float* to) {
  const long column = row / kPanel * kPanel;
  const long padded = panel_width(w.out, column);
  const auto* panel = static_cast<const Weight*>(w.data) + column * w.in;
  const long place = row - column;
  const long vector = place / kLanes * kLanes;
  for (long k = 0; k < w.in; ++k)
    to[k] = load_weights(panel + k * padded + vector)[static_cast<int>(place - vector)];
}

void unpack_row(const PackedMatrix& w, long row, float* to) {
  if (w.type == WeightType::f32) return unpack_typed<float>(w, row, to);
  if (w.type == WeightType::bf16) return unpack_typed<Bfloat>(w, row, to);
  unpack_typed<Half>(w, row, to);
}

// As multiply(): the same blocks, so the same bits.
template <typename Weight>
void multiply_typed(const PackedProduct& p) {
  const long in = p.w.in;
  for (long column = p.first; column < p.last; column += kPanel) {
    const auto* panel = static_cast<const Weight*>(p.w.data) + column * in;
    const long padded = panel_width(p.w.out, column);
    for (long k = 0; k < in; k += kDepth) {
      const TileOf<Weight> tile{smaller(kDepth, in - k), p.a + k, in,           1,
                                panel + k * padded,      padded,  p.c + column, p.w.out,
                                p.accumulate || k > 0};
      multiply_columns(p.m, tile, smaller(padded, p.w.out - column));
    }
  }
}

void multiply_packed(const PackedProduct& p) {
  if (p.w.type == WeightType::f32) return multiply_typed<float>(p);
  if (p.w.type == WeightType::bf16) return multiply_typed<Bfloat>(p);
  multiply_typed<Half>(p);
}

long argmax(const float* x, long size) {
  Vector best = broadcast(-__builtin_inff());
  for_vectors(size, [&](long i, long count) {
    const Vector value = load_any(x + i, count, -__builtin_inff());
    best = value > best ? value : best;
  });
  const float top = largest(best);
  for (long i = 0; i < size; ++i) {
    if (x[i] == top) return i;
  }
  return 0;
}

}  // namespace

extern const DecodeKernels decode_table;
const DecodeKernels decode_table = {packed_size, pack,          unpack_row,  multiply_packed,
                                    cached_keys, cached_values, cache_token, cached_attention,
                                    argmax,      /*bf16=*/false};

}  // namespace tapir::student::TAPIR_KERNEL_SET
