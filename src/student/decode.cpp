#include "student/decode.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "student/qk_norm.h"

namespace tapir::student {
namespace {

constexpr std::int64_t kChunkRows = 512;          // between the residual stream and itself
constexpr std::int64_t kLogitFloats = 1LL << 22;  // of scoring, at a time

}  // namespace

DecodeWorker::DecodeWorker(std::shared_ptr<const DecodeWeights> weights, int threads)
    : weights_(std::move(weights)),
      config_(weights_->config),
      hidden_(config_.hidden_size),
      inner_(config_.intermediate_size),
      query_(config_.query_width()),
      key_value_(config_.key_value_width()),
      qkv_width_(query_ + 2 * key_value_),
      team_(threads),
      rotary_(config_) {}

void DecodeWorker::reserve(std::int64_t rows) {
  if (rows <= reserved_) return;
  const std::int64_t chunk = std::min(rows, kChunkRows);
  x_.reserve(rows * hidden_);
  inverse_rms_.reserve(rows);
  qkv_.reserve(rows * qkv_width_);
  attended_.reserve(rows * query_);
  log_sum_exp_.reserve(rows * config_.num_attention_heads);
  normed_.reserve(chunk * hidden_);
  gate_up_.reserve(chunk * 2 * inner_);
  activated_.reserve(chunk * inner_);
  if (config_.qk_norm) {
    unnormed_.reserve(rows * (query_ + key_value_));
    qk_inverse_rms_.reserve(rows * (config_.num_attention_heads + config_.num_key_value_heads));
  }
  positions_.resize(static_cast<std::size_t>(rows));
  reserved_ = rows;
}

void DecodeWorker::reserve_scratch(std::int64_t floats) {
  constexpr std::int64_t kLine = 16;
  scratch_size_ = (floats + kLine - 1) / kLine * kLine;
  scratch_.reserve(scratch_size_ * team_.size());
}

// Everything that can fail does so here, before the team starts.
void DecodeWorker::begin(std::span<const std::int32_t> tokens) {
  for (const std::int32_t token : tokens)
    check(token >= 0 && token < config_.vocab_size, "token within the student's vocabulary");
  reserve(static_cast<std::int64_t>(tokens.size()));
}

void DecodeWorker::embed(int member, std::span<const std::int32_t> tokens) {
  const auto share = team_.share(member, static_cast<std::int64_t>(tokens.size()));
  for (std::int64_t i = share.first; i < share.last; ++i) {
    weights_->decode.unpack_row(weights_->embed_tokens.weight, tokens[static_cast<std::size_t>(i)],
                                x_.data() + i * hidden_);
  }
  team_.sync();
}

// normed_ = norm(x_) for some rows.
void DecodeWorker::norm(int member, Rows rows, const float* weight) {
  const auto share = team_.share(member, rows.count);
  weights_->kernels.rms_norm(
      {share.last - share.first, hidden_, static_cast<float>(config_.rms_norm_eps),
       x_.data() + (rows.first + share.first) * hidden_, weight,
       normed_.data() + share.first * hidden_, inverse_rms_.data() + rows.first + share.first});
  team_.sync();
}

// y (+)= x W^T + b.
void DecodeWorker::multiply(int member, const DecodeWeights::Matrix& matrix, std::int64_t rows,
                            const float* x, float* y, bool accumulate) {
  const long out = matrix.weight.out;
  const auto share = team_.share(member, out, kColumnStep);
  for (std::int64_t row = 0; matrix.bias != nullptr && row < rows; ++row) {
    float* to = y + row * out + share.first;
    if (accumulate) {
      weights_->kernels.add(to, matrix.bias + share.first, share.last - share.first);
    } else {
      std::copy(matrix.bias + share.first, matrix.bias + share.last, to);
    }
  }
  weights_->decode.multiply_packed(
      {rows, x, matrix.weight, y, accumulate || matrix.bias != nullptr, share.first, share.last});
  team_.sync();
}

// qkv_ = rotated(norm(x_) W_qkv), heads normed before the rotation where the family does so.
void DecodeWorker::project_qkv(int member, const Layer& layer, std::int64_t rows) {
  for (std::int64_t first = 0; first < rows; first += kChunkRows) {
    const std::int64_t count = std::min(kChunkRows, rows - first);
    norm(member, {first, count}, layer.input_layernorm);
    multiply(member, layer.qkv_proj, count, normed_.data(), qkv_.data() + first * qkv_width_,
             /*accumulate=*/false);
  }
  const int heads = config_.num_attention_heads;
  const int kv_heads = config_.num_key_value_heads;
  const auto share = team_.share(member, rows);
  const long count = share.last - share.first;
  float* qkv = qkv_.data() + share.first * qkv_width_;
  if (layer.q_norm != nullptr) {
    normalise_heads(weights_->kernels,
                    {count, qkv_width_, heads, kv_heads, config_.head_dim,
                     static_cast<float>(config_.rms_norm_eps), layer.q_norm, layer.k_norm, qkv,
                     unnormed_.data() + share.first * (query_ + key_value_),
                     qk_inverse_rms_.data() + share.first * (heads + kv_heads)});
  }
  weights_->kernels.rotary({count, qkv_width_, heads + kv_heads, config_.head_dim,
                            positions_.data() + share.first, rotary_.cosines(), rotary_.sines(),
                            /*backward=*/false, qkv});
  team_.sync();
}

// attended_ of a sequence from its start; into the cache, when there is one.
void DecodeWorker::attend_sequence(int member, std::size_t layer, std::int64_t length,
                                   KvCache* cache) {
  const auto rows = team_.share(member, cache == nullptr ? 0 : length, /*step=*/2);
  for (std::int64_t i = rows.first; i < rows.last; ++i) {
    const float* keys = qkv_.data() + i * qkv_width_ + query_;
    cache->put(static_cast<int>(layer), i, keys, keys + key_value_);
  }
  const auto share = team_.share(member, config_.num_key_value_heads);
  if (share.first < share.last) {
    weights_->kernels.attention(
        {length, config_.num_attention_heads, config_.num_key_value_heads, config_.head_dim,
         1.0F / std::sqrt(static_cast<float>(config_.head_dim)), qkv_.data(), attended_.data(),
         log_sum_exp_.data(), scratch(member), weights_->layers[layer].window,
         static_cast<int>(share.first), static_cast<int>(share.last)});
  }
  team_.sync();
}

// attended_ of rows that have a cache each; units of work: a row's kv head.
void DecodeWorker::attend_caches(int member, std::size_t layer, std::span<const DecodeRow> rows) {
  const auto count = static_cast<std::int64_t>(rows.size());
  const int kv_heads = config_.num_key_value_heads;
  const int number = static_cast<int>(layer);
  const auto mine = team_.share(member, count);
  for (std::int64_t i = mine.first; i < mine.last; ++i) {
    const DecodeRow& row = rows[static_cast<std::size_t>(i)];
    const float* keys = qkv_.data() + i * qkv_width_ + query_;
    row.cache->put(number, row.position, keys, keys + key_value_);
  }
  team_.sync();
  const auto share = team_.share(member, count * kv_heads);
  for (std::int64_t unit = share.first; unit < share.last;) {
    const std::int64_t i = unit / kv_heads;
    const std::int64_t end = std::min(share.last, (i + 1) * kv_heads);
    const DecodeRow& row = rows[static_cast<std::size_t>(i)];
    const long window = weights_->layers[layer].window;
    const long length = row.position + 1L;
    weights_->decode.attention(
        {window > 0 ? std::max(0L, length - window) : 0, length, config_.num_attention_heads,
         kv_heads, config_.head_dim, 1.0F / std::sqrt(static_cast<float>(config_.head_dim)),
         qkv_.data() + i * qkv_width_, row.cache->blocks(), row.cache->keys(number),
         row.cache->values(number), attended_.data() + i * query_, scratch(member),
         static_cast<int>(unit - i * kv_heads), static_cast<int>(end - i * kv_heads)});
    unit = end;
  }
  team_.sync();
}

// x_ += attended_ W_o; x_ += mlp(norm(x_)).
void DecodeWorker::finish_layer(int member, const Layer& layer, std::int64_t rows) {
  multiply(member, layer.o_proj, rows, attended_.data(), x_.data(), /*accumulate=*/true);
  for (std::int64_t first = 0; first < rows; first += kChunkRows) {
    const std::int64_t count = std::min(kChunkRows, rows - first);
    norm(member, {first, count}, layer.post_attention_layernorm);
    multiply(member, layer.gate_up_proj, count, normed_.data(), gate_up_.data(),
             /*accumulate=*/false);
    const auto share = team_.share(member, count);
    weights_->kernels.swiglu({share.last - share.first, inner_,
                              gate_up_.data() + share.first * 2 * inner_,
                              activated_.data() + share.first * inner_});
    team_.sync();
    multiply(member, layer.down_proj, count, activated_.data(), x_.data() + first * hidden_,
             /*accumulate=*/true);
  }
}

// Moves some rows (rising) of x_ and attended_ to the front.
void DecodeWorker::keep_rows(int member, std::span<const std::int64_t> rows) {
  if (member == 0) {
    std::int64_t to = 0;
    for (const std::int64_t row : rows) {
      if (row != to) {
        std::copy_n(x_.data() + row * hidden_, hidden_, x_.data() + to * hidden_);
        std::copy_n(attended_.data() + row * query_, query_, attended_.data() + to * query_);
      }
      ++to;
    }
  }
  team_.sync();
}

// The first rows of x_: the last layer's output for the rows that are wanted.
void DecodeWorker::forward(int member, std::span<const std::int32_t> tokens, KvCache* cache,
                           std::span<const std::int64_t> wanted) {
  const auto length = static_cast<std::int64_t>(tokens.size());
  embed(member, tokens);
  for (std::size_t l = 0; l < weights_->layers.size(); ++l) {
    const Layer& layer = weights_->layers[l];
    project_qkv(member, layer, length);
    attend_sequence(member, l, length, cache);
    const bool last = l + 1 == weights_->layers.size();
    if (last) keep_rows(member, wanted);
    finish_layer(member, layer, last ? static_cast<std::int64_t>(wanted.size()) : length);
  }
}

// Logits [rows, vocab] of some rows of x_, at most kChunkRows.
void DecodeWorker::head(int member, Rows rows, float* logits) {
  norm(member, rows, weights_->norm);
  multiply(member, weights_->lm_head, rows.count, normed_.data(), logits, /*accumulate=*/false);
}

const float* DecodeWorker::prefill(std::span<const std::int32_t> prompt, KvCache& cache) {
  const auto length = static_cast<std::int64_t>(prompt.size());
  check(length > 0 && length <= config_.max_position_embeddings, "a prompt that fits the context");
  begin(prompt);
  cache.restart();
  cache.reserve(length);
  reserve_scratch(attention_scratch(length, config_.head_dim));
  rotary_.extend(length);
  for (std::int64_t i = 0; i < length; ++i)
    positions_[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i);
  logits_.reserve(config_.vocab_size);
  const std::int64_t last = length - 1;
  team_.run([&](int member) {
    forward(member, prompt, &cache, {&last, 1});
    head(member, {0, 1}, logits_.data());
  });
  return logits_.data();
}

const float* DecodeWorker::step(std::span<const DecodeRow> rows) {
  const auto count = static_cast<std::int64_t>(rows.size());
  check(count > 0, "a row to step with");
  tokens_.clear();
  for (const DecodeRow& row : rows) tokens_.push_back(row.token);
  begin(tokens_);
  std::int64_t longest = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].cache->reserve(rows[i].position + 1);
    positions_[i] = rows[i].position;
    longest = std::max(longest, rows[i].cache->capacity());
  }
  reserve_scratch(cached_attention_scratch(longest, config_.head_dim));
  rotary_.extend(longest);
  logits_.reserve(count * config_.vocab_size);
  team_.run([&](int member) {
    embed(member, tokens_);
    for (std::size_t l = 0; l < weights_->layers.size(); ++l) {
      project_qkv(member, weights_->layers[l], count);
      attend_caches(member, l, rows);
      finish_layer(member, weights_->layers[l], count);
    }
    for (std::int64_t first = 0; first < count; first += kChunkRows) {
      head(member, {first, std::min(kChunkRows, count - first)},
           logits_.data() + first * config_.vocab_size);
    }
  });
  return logits_.data();
}

std::vector<float> DecodeWorker::score(const ScoreRequest& request) {
  const auto length = static_cast<std::int64_t>(request.tokens.size());
  const auto targets = static_cast<std::int64_t>(request.targets.size());
  check(request.rows.size() == request.targets.size(), "a target for every row");
  std::vector<float> logprobs(request.targets.size());
  if (targets == 0) return logprobs;
  begin(request.tokens);
  reserve_scratch(attention_scratch(length, config_.head_dim));
  rotary_.extend(length);
  for (std::int64_t i = 0; i < length; ++i)
    positions_[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i);
  const long vocab = config_.vocab_size;
  const std::int64_t chunk = std::clamp<std::int64_t>(kLogitFloats / vocab, 1, kChunkRows);
  logits_.reserve(std::min(chunk, targets) * vocab);
  team_.run([&](int member) {
    forward(member, request.tokens, /*cache=*/nullptr, request.rows);
    for (std::int64_t first = 0; first < targets; first += chunk) {
      const std::int64_t count = std::min(chunk, targets - first);
      head(member, {first, count}, logits_.data());
      const auto share = team_.share(member, count);
      const std::int64_t at = first + share.first;
      weights_->kernels.cross_entropy({share.last - share.first, vocab, /*gradient_scale=*/0,
                                       request.targets.data() + at,
                                       logits_.data() + share.first * vocab, logprobs.data() + at});
      team_.sync();
    }
  });
  return logprobs;
}

}  // namespace tapir::student
