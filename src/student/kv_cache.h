// Keys and values of one row's past, all layers. No torch here.
#pragma once

#include <cstdint>
#include <vector>

#include "student/config.h"
#include "student/decode_kernels.h"
#include "student/float_buffer.h"

namespace tapir::student {

// Holds one row at a time. Grows block by block with the row, so that a long context costs memory
// only where it is used. Where every layer slides a window, blocks that all windows have passed are
// used again for what comes, so that a row takes no more than the widest window. The blocks are
// kept for the next row.
class KvCache {
 public:
  KvCache(const ModelConfig& config, const DecodeKernels& kernels);

  // Forgets the row.
  void restart();
  // Room for positions [0, positions); what is inside stays, but for what the token behind them
  // does not see.
  void reserve(std::int64_t positions);

  // One token's keys and values of a layer, side by side as in the qkv rows: [kv heads * head_dim]
  // each. Of a position that the windows have passed nothing is kept. REQUIRES: position <
  // capacity(); an even position before the odd one behind it.
  void put(int layer, std::int64_t position, const float* key_row, const float* value_row);

  // As CachedAttention wants them; null where the windows have passed.
  const float* const* blocks() const { return blocks_.data(); }
  std::int64_t keys(int layer) const { return layer * layer_floats_; }
  std::int64_t values(int layer) const { return layer * layer_floats_ + key_floats_; }

  std::int64_t capacity() const { return static_cast<std::int64_t>(blocks_.size()) * kCacheBlock; }
  // Of all blocks, in use or not.
  std::int64_t bytes() const;

 private:
  float* take_block();
  void free_block(std::size_t index);

  const DecodeKernels& kernels_;
  std::int64_t layers_;
  int kv_heads_, head_dim_;
  std::int64_t window_;                     // the widest; 0: a layer sees all positions
  std::int64_t key_floats_, layer_floats_;  // of one block
  std::vector<FloatBuffer> memory_;         // of each block: [layers, keys then values]
  std::vector<float*> free_;                // blocks that hold nothing
  std::vector<float*> blocks_;              // of the row, by position
  std::size_t passed_ = 0;                  // so many of them the windows have passed
};

}  // namespace tapir::student
