#include "student/torch_dropout.h"

#include <cstdint>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <c10/core/GradMode.h>

#include "student/adapter_pass.h"

namespace tapir::student {
namespace {

std::int64_t as_signed(std::uint32_t bits) { return static_cast<std::int32_t>(bits); }

// x ^= x >> shift, as unsigned numbers.
void fold(at::Tensor& x, int shift) {
  const std::int64_t rest = (std::int64_t{1} << (32 - shift)) - 1;
  x.bitwise_xor_(x.bitwise_right_shift(shift).bitwise_and_(rest));
}

// dropout_hash() of int32 numbers, in place: their products wrap as unsigned ones do.
void hash(at::Tensor& x) {
  fold(x, 16);
  x.mul_(as_signed(0x85ebca6bU));
  fold(x, 13);
  x.mul_(as_signed(0xc2b2ae35U));
  fold(x, 16);
}

// True where an element is dropped: [rows, width].
at::Tensor dropped(const at::Tensor& keys, std::int64_t width, std::size_t pair, double dropout) {
  const at::NoGradGuard no_gradients;
  at::Tensor x = keys.bitwise_xor(as_signed(dropout_salt(pair))).unsqueeze(1) +
                 at::arange(width, keys.options());
  hash(x);
  // Unsigned numbers compare as signed ones do with the highest bit turned.
  constexpr std::uint32_t kHighest = 1U << 31;
  return x.bitwise_xor_(as_signed(kHighest)).lt(as_signed(dropout_bound(dropout) ^ kHighest));
}

}  // namespace

at::Tensor drop_elements(const at::Tensor& x, const at::Tensor& keys, std::size_t pair,
                         double dropout) {
  return (x * (1 / (1 - dropout))).masked_fill(dropped(keys, x.size(-1), pair, dropout), 0);
}

}  // namespace tapir::student
