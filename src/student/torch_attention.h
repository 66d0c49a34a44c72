// Causal attention on any device of torch.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace tapir::student {

// Sequences one after the other in one batch.
struct Sequences {
  std::vector<std::int64_t> starts;  // first token of each, then the number of tokens
  at::Tensor device_starts;          // the same on the device, int32: [sequences + 1]
  std::int64_t longest = 0;
};

// query [tokens, heads, head_dim], key and value [tokens, kv heads, head_dim]: each sequence
// attends to itself only. window: positions that a token sees, its own included; 0: all before it.
// Returns [tokens, heads, head_dim]. Autograd follows it.
at::Tensor attend_packed(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                         const Sequences& sequences, std::int64_t window);

// What the rows of a decoding step have seen so far, the newest token included.
struct CachedPast {
  at::Tensor keys;     // [rows, capacity, kv heads, head_dim]
  at::Tensor values;   // likewise
  at::Tensor lengths;  // [rows] int32: positions in use
  at::Tensor starts;   // [rows + 1] int32: i * capacity
  at::Tensor rows;     // [rows + 1] int32: i
  std::int64_t longest = 0;
};

// One new token per row: query [rows, heads, head_dim]. Returns the like.
at::Tensor attend_cached(const at::Tensor& query, const CachedPast& past, std::int64_t window);

}  // namespace tapir::student
