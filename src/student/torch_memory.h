// The memory of a device of torch, and the way in and out of it.
#pragma once

#include <cstdint>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <c10/util/Exception.h>

namespace tapir::student {

// What `work` returns; a device that is out of memory is std::bad_alloc, as the host is.
template <typename Work>
auto reporting_memory(Work&& work) {
  try {
    return std::forward<Work>(work)();
  } catch (const c10::OutOfMemoryError&) {
    throw std::bad_alloc();
  }
}

// Host values as a tensor that shares their memory. type: of T.
template <typename T>
at::Tensor view_of(std::span<const T> values, at::ScalarType type) {
  return at::from_blob(const_cast<T*>(values.data()), {static_cast<std::int64_t>(values.size())},
                       type);
}

// A copy of host values. type: of T; to: device and type of the copy.
template <typename T>
at::Tensor upload_copy(std::span<const T> values, at::ScalarType type,
                       const at::TensorOptions& to) {
  return view_of(values, type).to(to, /*non_blocking=*/false, /*copy=*/true);
}

// The values of a flat tensor, on the host. type: of T.
template <typename T>
std::vector<T> download(const at::Tensor& tensor, at::ScalarType type) {
  std::vector<T> values(static_cast<std::size_t>(tensor.numel()));
  view_of<T>(values, type).copy_(tensor);
  return values;
}

}  // namespace tapir::student
