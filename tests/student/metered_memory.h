// The memory of torch's tensors on the CPU, counted and capped as a GPU's is.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <limits>

#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

namespace tapir::testing {

// As long as it lives, tensors on the CPU get their memory from here. Those made meanwhile must not
// outlive it.
class MeteredMemory final : public c10::Allocator {
 public:
  explicit MeteredMemory(std::int64_t cap = std::numeric_limits<std::int64_t>::max())
      : cap_(cap), before_(c10::GetCPUAllocator()) {
    c10::SetCPUAllocator(this);
  }
  ~MeteredMemory() override { c10::SetCPUAllocator(before_); }
  MeteredMemory(const MeteredMemory&) = delete;
  MeteredMemory& operator=(const MeteredMemory&) = delete;

  std::int64_t live() const { return live_; }
  std::int64_t peak() const { return peak_; }
  void forget_peak() { peak_ = live_.load(); }
  std::int64_t refusals() const { return refusals_; }

  c10::DataPtr allocate(std::size_t size) override {
    const std::int64_t now = live_ += static_cast<std::int64_t>(size);
    if (now > cap_) {
      live_ -= static_cast<std::int64_t>(size);
      ++refusals_;
      TORCH_CHECK_WITH(OutOfMemoryError, false, "the cap of this test is reached");
    }
    for (std::int64_t seen = peak_; now > seen && !peak_.compare_exchange_weak(seen, now);) {
    }
    const std::size_t whole = (kHeader + size + kHeader - 1) / kHeader * kHeader;
    auto* block = static_cast<Block*>(std::aligned_alloc(kHeader, whole));
    *block = {this, static_cast<std::int64_t>(size)};
    void* data = reinterpret_cast<char*>(block) + kHeader;
    return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t size) const override {
    default_copy_data(to, from, size);
  }

 private:
  // Stands before the data, on a cache line of its own.
  struct Block {
    MeteredMemory* owner;
    std::int64_t size;
  };
  static constexpr std::size_t kHeader = 64;

  static void release(void* data) {
    auto* block = reinterpret_cast<Block*>(static_cast<char*>(data) - kHeader);
    block->owner->live_ -= block->size;
    std::free(block);
  }

  const std::int64_t cap_;
  c10::Allocator* const before_;
  std::atomic<std::int64_t> live_ = 0;
  std::atomic<std::int64_t> peak_ = 0;
  std::atomic<std::int64_t> refusals_ = 0;
};

}  // namespace tapir::testing
