#include "student/kv_cache.h"

#include <algorithm>

namespace tapir::student {

KvCache::KvCache(const ModelConfig& config)
    : layers_(config.num_hidden_layers),
      kv_heads_(config.num_key_value_heads),
      head_dim_(config.head_dim),
      value_width_(value_width(config.head_dim)),
      key_floats_(kv_heads_ * head_dim_ * kCacheBlock),
      layer_floats_(key_floats_ + kv_heads_ * value_width_ * kCacheBlock) {}

void KvCache::reserve(std::int64_t positions) {
  while (capacity() < positions) {
    FloatBuffer& block = memory_.emplace_back();
    blocks_.push_back(block.reserve(layers_ * layer_floats_));
  }
}

void KvCache::put(int layer, std::int64_t position, const float* key_row, const float* value_row) {
  float* block = blocks_[static_cast<std::size_t>(position / kCacheBlock)] + keys(layer);
  const std::int64_t place = position % kCacheBlock;
  float* key_at = block + place;
  float* value_at = block + key_floats_ + place * value_width_;
  for (std::int64_t head = 0; head < kv_heads_; ++head) {
    for (std::int64_t d = 0; d < head_dim_; ++d) key_at[d * kCacheBlock] = key_row[d];
    std::copy_n(value_row, head_dim_, value_at);
    std::fill(value_at + head_dim_, value_at + value_width_, 0.0F);
    key_at += head_dim_ * kCacheBlock;
    value_at += value_width_ * kCacheBlock;
    key_row += head_dim_;
    value_row += head_dim_;
  }
}

}  // namespace tapir::student
