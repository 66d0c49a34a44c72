// The dropout of adapters on a device of torch: the elements that AdapterPass drops.
#pragma once

#include <cstddef>

#include <ATen/core/Tensor.h>

namespace tapir::student {

// x [rows, width] divided by 1 - dropout, with the elements dropped that are pair `pair`'s. keys
// [rows] int32: a DropoutKey each. Autograd follows it.
at::Tensor drop_elements(const at::Tensor& x, const at::Tensor& keys, std::size_t pair,
                         double dropout);

}  // namespace tapir::student
