#include "student/kv_cache.h"

#include <algorithm>

namespace tapir::student {

KvCache::KvCache(const ModelConfig& config)
    : layers_(config.num_hidden_layers),
      kv_heads_(config.num_key_value_heads),
      head_dim_(config.head_dim),
      value_width_(value_width(config.head_dim)) {}

void KvCache::reset(std::int64_t positions) {
  capacity_ = (std::max<std::int64_t>(positions, 1) + kCacheStep - 1) / kCacheStep * kCacheStep;
  keys_.reserve(layers_ * key_floats());
  values_.reserve(layers_ * value_floats());
}

void KvCache::put(int layer, std::int64_t position, const float* keys, const float* values) {
  float* key_at = keys_.data() + layer * key_floats() + position;
  float* value_at = values_.data() + layer * value_floats() + position * value_width_;
  for (std::int64_t head = 0; head < kv_heads_; ++head) {
    for (std::int64_t d = 0; d < head_dim_; ++d) key_at[d * capacity_] = keys[d];
    std::copy_n(values, head_dim_, value_at);
    std::fill(value_at + head_dim_, value_at + value_width_, 0.0F);
    key_at += head_dim_ * capacity_;
    value_at += value_width_ * capacity_;
    keys += head_dim_;
    values += head_dim_;
  }
}

}  // namespace tapir::student
