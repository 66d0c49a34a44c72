#include "student/float_buffer.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace tapir::student {

void FloatBuffer::Free::operator()(float* data) const { std::free(data); }

float* FloatBuffer::reserve(std::int64_t size) {
  constexpr std::size_t kLine = 64;
  if (size <= capacity_) return data_.get();
  const std::size_t bytes =
      (static_cast<std::size_t>(size) * sizeof(float) + kLine - 1) / kLine * kLine;
  data_.reset();
  capacity_ = 0;
  data_.reset(static_cast<float*>(std::aligned_alloc(kLine, bytes)));
  if (!data_) throw std::bad_alloc();
  capacity_ = size;
  return data_.get();
}

}  // namespace tapir::student
