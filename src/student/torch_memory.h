// The memory of a device of torch.
#pragma once

#include <new>
#include <utility>

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

}  // namespace tapir::student
