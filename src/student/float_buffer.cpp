#include "student/float_buffer.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstddef>
#include <cstdlib>
#include <new>

#include "base/mapped_pages.h"

namespace tapir::student {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

void* allocate(std::size_t bytes) {
  // Not aligned_alloc: that wants whole multiples of the alignment.
  void* memory = nullptr;
  if (::posix_memalign(&memory, bytes < kHugePage ? kLine : kHugePage, bytes) != 0) return nullptr;
  if (bytes < kHugePage) return memory;
#if defined(__linux__)
  // Weights are read from end to end for every token: large pages spare address look-ups, and the
  // processor reads ahead within a page only. A wish: the kernel may say no.
  (void)::madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

}  // namespace

// Buffers grow with the passes. malloc would keep the pages of those that were outgrown, a tenth of
// a training's memory in all.
void FloatBuffer::Free::operator()(float* data) const {
  let_go_pages({reinterpret_cast<const char*>(data), bytes});
  std::free(data);
}

float* FloatBuffer::reserve(std::int64_t size) {
  if (size <= capacity_) return data_.get();
  const std::size_t bytes =
      (static_cast<std::size_t>(size) * sizeof(float) + kLine - 1) / kLine * kLine;
  data_.reset();
  capacity_ = 0;
  data_ = {static_cast<float*>(allocate(bytes)), Free(bytes)};
  if (!data_) throw std::bad_alloc();
  capacity_ = size;
  return data_.get();
}

}  // namespace tapir::student
