// Keys and values of one row's past, all layers. No torch here.
#pragma once

#include <cstdint>

#include "student/config.h"
#include "student/decode_kernels.h"
#include "student/float_buffer.h"

namespace tapir::student {

// Holds one row at a time; its memory is kept for the next one.
class KvCache {
 public:
  explicit KvCache(const ModelConfig& config);

  // Empty, with room for `positions` tokens (rounded up to a bucket, so that rows of like length
  // share their memory).
  void reset(std::int64_t positions);

  // One token's keys and values of a layer, side by side as in the qkv rows: [kv heads * head_dim]
  // each; at `position` < capacity.
  void put(int layer, std::int64_t position, const float* keys, const float* values);

  const float* keys(int layer) const { return keys_.data() + layer * key_floats(); }
  const float* values(int layer) const { return values_.data() + layer * value_floats(); }
  std::int64_t capacity() const { return capacity_; }

 private:
  std::int64_t key_floats() const { return kv_heads_ * head_dim_ * capacity_; }
  std::int64_t value_floats() const { return kv_heads_ * value_width_ * capacity_; }

  std::int64_t layers_, kv_heads_, head_dim_, value_width_;
  std::int64_t capacity_ = 0;
  FloatBuffer keys_;    // [layers, kv heads, head_dim, capacity]
  FloatBuffer values_;  // [layers, kv heads, capacity, value_width]
};

}  // namespace tapir::student
