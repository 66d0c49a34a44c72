#include "student/decode.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace tapir::student {

DecodeWeights::DecodeWeights(const ModelConfig& model_config, const ParameterLayout& layout,
                             const float* parameters, const Kernels& set)
    : config(model_config),
      kernels(set),
      decode(decode_kernels(set)),
      embed_tokens(parameters + layout.embed_tokens),
      norm(parameters + layout.norm) {
  const long hidden = config.hidden_size;
  const long inner = config.intermediate_size;
  const long qkv = config.query_width() + 2 * config.key_value_width();
  const long query = config.query_width();
  const long vocab = config.vocab_size;
  // Every matrix begins on a cache line.
  const auto room = [&](long out, long in) { return (decode.packed_size(out, in) + 15) / 16 * 16; };
  const long of_layer =
      room(qkv, hidden) + room(hidden, query) + room(2 * inner, hidden) + room(hidden, inner);
  float* at =
      packed_.reserve(of_layer * static_cast<long>(layout.layers.size()) + room(vocab, hidden));
  const auto pack = [&](std::int64_t offset, long out, long in) {
    float* begin = at;
    decode.pack(parameters + offset, out, in, begin);
    at += room(out, in);
    return begin;
  };
  for (const LayerOffsets& from : layout.layers) {
    layers.push_back({parameters + from.input_layernorm, parameters + from.post_attention_layernorm,
                      pack(from.qkv_proj, qkv, hidden), pack(from.o_proj, hidden, query),
                      pack(from.gate_up_proj, 2 * inner, hidden),
                      pack(from.down_proj, hidden, inner)});
  }
  lm_head = pack(layout.lm_head, vocab, hidden);
  const int half = config.head_dim / 2;
  for (int position = 0; position < config.max_position_embeddings; ++position) {
    for (int i = 0; i < half; ++i) {
      // In the steps and the precision in which transformers computes them, as in training.
      const float exponent = static_cast<float>(2 * i) / static_cast<float>(config.head_dim);
      const float frequency = 1.0F / static_cast<float>(std::pow(config.rope_theta, exponent));
      const float angle = static_cast<float>(position) * frequency;
      cosines.push_back(static_cast<float>(std::cos(static_cast<double>(angle))));
      sines.push_back(static_cast<float>(std::sin(static_cast<double>(angle))));
    }
  }
}

DecodeWorker::DecodeWorker(std::shared_ptr<const DecodeWeights> weights)
    : weights_(std::move(weights)),
      config_(weights_->config),
      hidden_(config_.hidden_size),
      inner_(config_.intermediate_size),
      query_(config_.query_width()),
      key_value_(config_.key_value_width()),
      qkv_width_(query_ + 2 * key_value_) {}

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

void DecodeWorker::multiply(std::int64_t rows, const float* x, std::int64_t in, const float* packed,
                            std::int64_t out, float* y, bool accumulate) {
  weights_->decode.multiply_packed(
      {rows, out, in, x, in, 1, /*b=*/nullptr, 1, in, y, out, accumulate}, packed);
}

// qkv_ = rotated(norm(x_) W_qkv).
void DecodeWorker::project_qkv(const DecodeWeights::Layer& layer, std::int64_t rows) {
  norm(rows, layer.input_layernorm);
  multiply(rows, normed_.data(), hidden_, layer.qkv_proj, qkv_width_, qkv_.data(), false);
  weights_->kernels.rotary({rows, qkv_width_,
                            config_.num_attention_heads + config_.num_key_value_heads,
                            config_.head_dim, positions_.data(), weights_->cosines.data(),
                            weights_->sines.data(), /*backward=*/false, qkv_.data()});
}

// x_ += attended_ W_o; x_ += mlp(norm(x_)).
void DecodeWorker::finish_layer(const DecodeWeights::Layer& layer, std::int64_t rows) {
  multiply(rows, attended_.data(), query_, layer.o_proj, hidden_, x_.data(), /*accumulate=*/true);
  norm(rows, layer.post_attention_layernorm);
  multiply(rows, normed_.data(), hidden_, layer.gate_up_proj, 2 * inner_, gate_up_.data(), false);
  weights_->kernels.swiglu({rows, inner_, gate_up_.data(), activated_.data()});
  multiply(rows, activated_.data(), inner_, layer.down_proj, hidden_, x_.data(),
           /*accumulate=*/true);
}

const float* DecodeWorker::head(std::int64_t rows) {
  norm(rows, weights_->norm);
  float* logits = logits_.reserve(rows * config_.vocab_size);
  multiply(rows, normed_.data(), hidden_, weights_->lm_head, config_.vocab_size, logits, false);
  return logits;
}

const float* DecodeWorker::prefill(std::span<const std::int32_t> prompt, KvCache& cache) {
  const auto length = static_cast<std::int64_t>(prompt.size());
  check(length > 0 && length <= cache.capacity() && length <= config_.max_position_embeddings,
        "a prompt that fits the cache");
  reserve(length);
  scratch_.reserve(std::max(attention_scratch(length, config_.head_dim), cache.capacity()));
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
                                 log_sum_exp_.data(), scratch_.data()});
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
  const float scale = 1.0F / std::sqrt(static_cast<float>(config_.head_dim));
  for (std::size_t l = 0; l < weights_->layers.size(); ++l) {
    const int layer = static_cast<int>(l);
    project_qkv(weights_->layers[l], count);
    for (std::int64_t i = 0; i < count; ++i) {
      const DecodeRow& row = rows[static_cast<std::size_t>(i)];
      const float* query = qkv_.data() + i * qkv_width_;
      row.cache->put(layer, row.position, query + query_, query + query_ + key_value_);
      weights_->decode.attention(
          {row.position + 1, row.cache->capacity(), config_.num_attention_heads,
           config_.num_key_value_heads, config_.head_dim, scale, query, row.cache->keys(layer),
           row.cache->values(layer), attended_.data() + i * query_, scratch_.data()});
    }
    finish_layer(weights_->layers[l], count);
  }
  return head(count);
}

}  // namespace tapir::student
