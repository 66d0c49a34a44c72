// Memory for a worker's intermediate values. No torch here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace tapir::student {

// Memory that is not initialised and starts on a cache line.
class FloatBuffer {
 public:
  // At least `size` floats; what was inside is lost when it has to grow.
  float* reserve(std::int64_t size);
  float* data() const { return data_.get(); }

 private:
  struct Free {
    Free() : bytes(0) {}
    explicit Free(std::size_t size) : bytes(size) {}
    void operator()(float* data) const;
    std::size_t bytes;
  };
  std::unique_ptr<float[], Free> data_;
  std::int64_t capacity_ = 0;
};

}  // namespace tapir::student
