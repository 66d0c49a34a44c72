#include "student/decode.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "student/qk_norm.h"

namespace tapir::student {

DecodeWeights::DecodeWeights(const ModelConfig& model_config, const ParameterLayout& layout,
                             const float* parameters, const Kernels& set)
    : config(model_config),
      kernels(set),
      decode(decode_kernels(set)),
      embed_tokens(parameters + layout.embed_tokens),
      norm(parameters + layout.norm) {
  // Every matrix begins on a cache line.
  const auto room = [&](const Linear& linear) {
    return (decode.packed_size(linear.out, linear.in) + 15) / 16 * 16;
  };
  long size = room(layout.lm_head);
  for (const LayerOffsets& from : layout.layers) {
    for (const Linear* linear : {&from.qkv_proj, &from.o_proj, &from.gate_up_proj, &from.down_proj})
      size += room(*linear);
  }
  float* at = packed_.reserve(size);
  const auto pack = [&](const Linear& linear) {
    decode.pack(parameters + linear.weight, linear.out, linear.in, at);
    const Matrix matrix{linear.out, linear.in, at,
                        linear.has_bias() ? parameters + linear.bias : nullptr};
    at += room(linear);
    return matrix;
  };
  const auto norm_at = [&](std::int64_t offset) {
    return offset == kNoParameter ? nullptr : parameters + offset;
  };
  for (const LayerOffsets& from : layout.layers) {
    layers.push_back({parameters + from.input_layernorm, norm_at(from.q_norm), norm_at(from.k_norm),
                      parameters + from.post_attention_layernorm, pack(from.qkv_proj),
                      pack(from.o_proj), pack(from.gate_up_proj), pack(from.down_proj),
                      from.window});
  }
  lm_head = pack(layout.lm_head);
}

DecodeWorker::DecodeWorker(std::shared_ptr<const DecodeWeights> weights)
    : weights_(std::move(weights)),
      config_(weights_->config),
      hidden_(config_.hidden_size),
      inner_(config_.intermediate_size),
      query_(config_.query_width()),
      key_value_(config_.key_value_width()),
      qkv_width_(query_ + 2 * key_value_),
      rotary_(config_) {}

void DecodeWorker::reserve(std::int64_t rows) {
  if (rows <= reserved_) return;
  x_.reserve(rows * hidden_);
  normed_.reserve(rows * hidden_);
  inverse_rms_.reserve(rows);
  qkv_.reserve(rows * qkv_width_);
  attended_.reserve(rows * query_);
  gate_up_.reserve(rows * 2 * inner_);
  activated_.reserve(rows * inner_);
  log_sum_exp_.reserve(rows * config_.num_attention_heads);
  if (config_.qk_norm) {
    unnormed_.reserve(rows * (query_ + key_value_));
    qk_inverse_rms_.reserve(rows * (config_.num_attention_heads + config_.num_key_value_heads));
  }
  positions_.resize(static_cast<std::size_t>(rows));
  reserved_ = rows;
}

void DecodeWorker::embed(std::int64_t row, std::int32_t token) {
  check(token >= 0 && token < config_.vocab_size, "token within the student's vocabulary");
  std::copy_n(weights_->embed_tokens + token * hidden_, hidden_, x_.data() + row * hidden_);
}

void DecodeWorker::norm(std::int64_t rows, const float* weight) {
  weights_->kernels.rms_norm({rows, hidden_, static_cast<float>(config_.rms_norm_eps), x_.data(),
                              weight, normed_.data(), inverse_rms_.data()});
}

// y (+)= x W^T + b.
void DecodeWorker::multiply(const DecodeWeights::Matrix& matrix, std::int64_t rows, const float* x,
                            float* y, bool accumulate) {
  for (std::int64_t row = 0; matrix.bias != nullptr && row < rows; ++row) {
    float* to = y + row * matrix.out;
    if (accumulate) {
      weights_->kernels.add(to, matrix.bias, matrix.out);
    } else {
      std::copy_n(matrix.bias, matrix.out, to);
    }
  }
  weights_->decode.multiply_packed({rows, matrix.out, matrix.in, x, matrix.in, 1, /*b=*/nullptr, 1,
                                    matrix.in, y, matrix.out, accumulate || matrix.bias != nullptr},
                                   matrix.packed);
}

// qkv_ = rotated(norm(x_) W_qkv), heads normed before the rotation where the family does so.
void DecodeWorker::project_qkv(const DecodeWeights::Layer& layer, std::int64_t rows) {
  norm(rows, layer.input_layernorm);
  multiply(layer.qkv_proj, rows, normed_.data(), qkv_.data(), /*accumulate=*/false);
  if (layer.q_norm != nullptr) {
    normalise_heads(weights_->kernels,
                    {rows, qkv_width_, config_.num_attention_heads, config_.num_key_value_heads,
                     config_.head_dim, static_cast<float>(config_.rms_norm_eps), layer.q_norm,
                     layer.k_norm, qkv_.data(), unnormed_.data(), qk_inverse_rms_.data()});
  }
  weights_->kernels.rotary({rows, qkv_width_,
                            config_.num_attention_heads + config_.num_key_value_heads,
                            config_.head_dim, positions_.data(), rotary_.cosines(), rotary_.sines(),
                            /*backward=*/false, qkv_.data()});
}

// x_ += attended_ W_o; x_ += mlp(norm(x_)).
void DecodeWorker::finish_layer(const DecodeWeights::Layer& layer, std::int64_t rows) {
  multiply(layer.o_proj, rows, attended_.data(), x_.data(), /*accumulate=*/true);
  norm(rows, layer.post_attention_layernorm);
  multiply(layer.gate_up_proj, rows, normed_.data(), gate_up_.data(), /*accumulate=*/false);
  weights_->kernels.swiglu({rows, inner_, gate_up_.data(), activated_.data()});
  multiply(layer.down_proj, rows, activated_.data(), x_.data(), /*accumulate=*/true);
}

const float* DecodeWorker::head(std::int64_t rows) {
  norm(rows, weights_->norm);
  float* logits = logits_.reserve(rows * config_.vocab_size);
  multiply(weights_->lm_head, rows, normed_.data(), logits, /*accumulate=*/false);
  return logits;
}

const float* DecodeWorker::prefill(std::span<const std::int32_t> prompt, KvCache& cache) {
  const auto length = static_cast<std::int64_t>(prompt.size());
  check(length > 0 && length <= cache.capacity() && length <= config_.max_position_embeddings,
        "a prompt that fits the cache");
  reserve(length);
  scratch_.reserve(std::max(attention_scratch(length, config_.head_dim), cache.capacity()));
  rotary_.extend(length);
  for (std::int64_t i = 0; i < length; ++i) {
    embed(i, prompt[static_cast<std::size_t>(i)]);
    positions_[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i);
  }
  const float scale = 1.0F / std::sqrt(static_cast<float>(config_.head_dim));
  for (std::size_t l = 0; l < weights_->layers.size(); ++l) {
    project_qkv(weights_->layers[l], length);
    for (std::int64_t i = 0; i < length; ++i) {
      const float* keys = qkv_.data() + i * qkv_width_ + query_;
      cache.put(static_cast<int>(l), i, keys, keys + key_value_);
    }
    weights_->kernels.attention({length, config_.num_attention_heads, config_.num_key_value_heads,
                                 config_.head_dim, scale, qkv_.data(), attended_.data(),
                                 log_sum_exp_.data(), scratch_.data(), weights_->layers[l].window});
    if (l + 1 < weights_->layers.size()) {
      finish_layer(weights_->layers[l], length);
      continue;
    }
    // Only what follows the last token is asked for.
    std::copy_n(x_.data() + (length - 1) * hidden_, hidden_, x_.data());
    std::copy_n(attended_.data() + (length - 1) * query_, query_, attended_.data());
    finish_layer(weights_->layers[l], 1);
  }
  return head(1);
}

const float* DecodeWorker::step(std::span<const DecodeRow> rows) {
  const auto count = static_cast<std::int64_t>(rows.size());
  check(count > 0, "a step of at least one row");
  reserve(count);
  std::int64_t longest = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const DecodeRow& row = rows[static_cast<std::size_t>(i)];
    check(row.position < row.cache->capacity(), "room in the cache");
    embed(i, row.token);
    positions_[static_cast<std::size_t>(i)] = row.position;
    longest = std::max(longest, row.cache->capacity());
  }
  scratch_.reserve(longest);
  rotary_.extend(longest);
  const float scale = 1.0F / std::sqrt(static_cast<float>(config_.head_dim));
  for (std::size_t l = 0; l < weights_->layers.size(); ++l) {
    const int layer = static_cast<int>(l);
    project_qkv(weights_->layers[l], count);
    for (std::int64_t i = 0; i < count; ++i) {
      const DecodeRow& row = rows[static_cast<std::size_t>(i)];
      const float* query = qkv_.data() + i * qkv_width_;
      const long window = weights_->layers[l].window;
      const long length = row.position + 1;
      row.cache->put(layer, row.position, query + query_, query + query_ + key_value_);
      weights_->decode.attention({length, row.cache->capacity(), config_.num_attention_heads,
                                  config_.num_key_value_heads, config_.head_dim, scale, query,
                                  row.cache->keys(layer), row.cache->values(layer),
                                  attended_.data() + i * query_, scratch_.data(),
                                  window > 0 ? std::max(0L, length - window) : 0});
    }
    finish_layer(weights_->layers[l], count);
  }
  return head(count);
}

}  // namespace tapir::student
