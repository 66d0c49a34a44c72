#include "student/kv_cache.h"

#include <algorithm>
#include <utility>

namespace tapir::student {
namespace {

// Positions that some layer still sees from the newest one on; 0: all.
std::int64_t widest_window(const ModelConfig& config) {
  std::int64_t widest = 0;
  for (int layer = 0; layer < config.num_hidden_layers; ++layer) {
    const std::int64_t window = config.window_of(layer);
    if (window == 0) return 0;
    widest = std::max(widest, window);
  }
  return widest;
}

}  // namespace

KvCache::KvCache(const ModelConfig& config, const DecodeKernels& kernels)
    : kernels_(kernels),
      layers_(config.num_hidden_layers),
      kv_heads_(config.num_key_value_heads),
      head_dim_(config.head_dim),
      window_(widest_window(config)),
      key_floats_(kv_heads_ * kernels.cached_keys(head_dim_)),
      layer_floats_(key_floats_ + kv_heads_ * kernels.cached_values(head_dim_)) {}

std::int64_t KvCache::bytes() const {
  return static_cast<std::int64_t>(memory_.size() * sizeof(float)) * layers_ * layer_floats_;
}

void KvCache::restart() {
  for (std::size_t i = passed_; i < blocks_.size(); ++i) free_block(i);
  blocks_.clear();
  passed_ = 0;
}

void KvCache::reserve(std::int64_t positions) {
  // The first position that the token at the last one sees.
  const std::int64_t first = window_ > 0 ? std::max<std::int64_t>(0, positions - window_) : 0;
  const auto passed = static_cast<std::size_t>(first / kCacheBlock);
  for (; passed_ < std::min(passed, blocks_.size()); ++passed_) free_block(passed_);
  while (capacity() < positions) {
    const bool is_seen = blocks_.size() >= passed;
    blocks_.push_back(is_seen ? take_block() : nullptr);
  }
  passed_ = std::max(passed_, passed);
}

float* KvCache::take_block() {
  if (free_.empty()) return memory_.emplace_back().reserve(layers_ * layer_floats_);
  float* block = free_.back();
  free_.pop_back();
  return block;
}

void KvCache::free_block(std::size_t index) {
  free_.push_back(std::exchange(blocks_[index], nullptr));
}

void KvCache::put(int layer, std::int64_t position, const float* key_row, const float* value_row) {
  float* block = blocks_[static_cast<std::size_t>(position / kCacheBlock)];
  if (block == nullptr) return;
  block += keys(layer);
  kernels_.cache_token({kv_heads_, head_dim_, position % kCacheBlock, key_row, value_row, block,
                        block + key_floats_});
}

}  // namespace tapir::student
