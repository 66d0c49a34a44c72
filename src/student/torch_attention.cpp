#include "student/torch_attention.h"

#include <cmath>
#include <optional>

#include <ATen/TensorOperators.h>
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/scaled_dot_product_attention.h>

namespace tapir::student {
namespace {

double scale_of(const at::Tensor& query) {
  return 1 / std::sqrt(static_cast<double>(query.size(-1)));
}

// The varlen kernels of flash attention take half precision on CUDA only.
bool flash_serves(const at::Tensor& query) {
  constexpr std::int64_t kMaxHeadDim = 256;
  return query.is_cuda() && query.scalar_type() != at::kFloat && query.size(-1) % 8 == 0 &&
         query.size(-1) <= kMaxHeadDim;
}

struct FlashShape {
  at::Tensor query_starts;  // [sequences + 1] int32
  at::Tensor key_starts;    // likewise
  std::int64_t longest_query;
  std::int64_t longest_key;
  std::optional<at::Tensor> keys_used;  // [sequences] int32; none: all
};

// The only call of torch's flash attention: it gains overloads between versions.
at::Tensor flash(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                 const FlashShape& shape, std::int64_t window) {
  const std::optional<std::int64_t> left =
      window > 0 ? std::optional<std::int64_t>(window - 1) : std::nullopt;
  const std::optional<std::int64_t> right =
      window > 0 ? std::optional<std::int64_t>(0) : std::nullopt;
  return std::get<0>(at::_flash_attention_forward(
      query, key, value, shape.query_starts, shape.key_starts, shape.longest_query,
      shape.longest_key, /*dropout_p=*/0.0, /*is_causal=*/true, /*return_debug_mask=*/false,
      scale_of(query), left, right, shape.keys_used));
}

// [tokens, heads, head_dim] to [1, heads, tokens, head_dim].
at::Tensor heads_first(const at::Tensor& x) { return x.transpose(0, 1).unsqueeze(0); }

// True where a token may look: [length, length].
at::Tensor window_mask(std::int64_t length, std::int64_t window, at::Device device) {
  const at::Tensor position = at::arange(length, at::TensorOptions().device(device));
  const at::Tensor distance = position.unsqueeze(1) - position.unsqueeze(0);
  return distance.ge(0).logical_and(distance.lt(window));
}

at::Tensor attend_sequence(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                           std::int64_t window) {
  const std::int64_t length = query.size(0);
  const bool slides = window > 0 && window < length;
  std::optional<at::Tensor> mask;
  if (slides) mask = window_mask(length, window, query.device());
  const at::Tensor out = at::scaled_dot_product_attention(
      heads_first(query), heads_first(key), heads_first(value), mask, /*dropout_p=*/0.0,
      /*is_causal=*/!slides, scale_of(query), /*enable_gqa=*/query.size(1) != key.size(1));
  return out.squeeze(0).transpose(0, 1);
}

}  // namespace

at::Tensor attend_packed(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                         const Sequences& sequences, std::int64_t window) {
  if (flash_serves(query)) {
    return flash(query, key, value,
                 {sequences.device_starts, sequences.device_starts, sequences.longest,
                  sequences.longest, std::nullopt},
                 window);
  }
  std::vector<at::Tensor> parts;
  for (std::size_t i = 0; i + 1 < sequences.starts.size(); ++i) {
    const std::int64_t first = sequences.starts[i];
    const std::int64_t length = sequences.starts[i + 1] - first;
    parts.push_back(attend_sequence(query.narrow(0, first, length), key.narrow(0, first, length),
                                    value.narrow(0, first, length), window));
  }
  return at::cat(parts);
}

at::Tensor attend_cached(const at::Tensor& query, const CachedPast& past, std::int64_t window) {
  if (flash_serves(query)) {
    return flash(query, past.keys.flatten(0, 1), past.values.flatten(0, 1),
                 {past.rows, past.starts, 1, past.longest, past.lengths}, window);
  }
  const at::Tensor position =
      at::arange(past.longest, at::TensorOptions().device(query.device()).dtype(at::kInt));
  const at::Tensor end = past.lengths.unsqueeze(1);  // [rows, 1]
  at::Tensor seen = position.lt(end);                // [rows, longest]
  if (window > 0) seen = seen.logical_and(position.ge(end - window));
  const at::Tensor out = at::scaled_dot_product_attention(
      query.unsqueeze(2), past.keys.narrow(1, 0, past.longest).transpose(1, 2),
      past.values.narrow(1, 0, past.longest).transpose(1, 2), seen.unsqueeze(1).unsqueeze(1),
      /*dropout_p=*/0.0, /*is_causal=*/false, scale_of(query),
      /*enable_gqa=*/query.size(1) != past.keys.size(2));
  return out.squeeze(2);
}

}  // namespace tapir::student
