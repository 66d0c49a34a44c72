// Keys and values of one row's past, all layers. No torch here.
#pragma once

#include <cstdint>
#include <vector>

#include "student/config.h"
#include "student/decode_kernels.h"
#include "student/float_buffer.h"

namespace tapir::student {

// Holds one row at a time. Grows block by block with the row, so that a long context costs memory
// only where it is used; the blocks are kept for the next row.
class KvCache {
 public:
  explicit KvCache(const ModelConfig& config);

  // Room for positions [0, positions); what is inside stays.
  void reserve(std::int64_t positions);

  // One token's keys and values of a layer, side by side as in the qkv rows: [kv heads * head_dim]
  // each. REQUIRES: position < capacity().
  void put(int layer, std::int64_t position, const float* key_row, const float* value_row);

  // As CachedAttention wants them.
  const float* const* blocks() const { return blocks_.data(); }
  std::int64_t keys(int layer) const { return layer * layer_floats_; }
  std::int64_t values(int layer) const { return layer * layer_floats_ + key_floats_; }

  std::int64_t capacity() const { return static_cast<std::int64_t>(blocks_.size()) * kCacheBlock; }

 private:
  std::int64_t layers_, kv_heads_, head_dim_, value_width_;
  std::int64_t key_floats_, layer_floats_;  // of one block
  std::vector<FloatBuffer> memory_;         // of each block: [layers, keys then values]
  std::vector<float*> blocks_;
};

}  // namespace tapir::student
