#include "student/decoder.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "student/linear.h"

namespace tapir::student {
namespace {

// Logits of so many floats at a time: [targets, vocab] never exists whole when it is large.
constexpr std::int64_t kLogitFloats = 1 << 18;

// to[i] = from[rows[i]], rows of `width`.
void gather(std::span<const std::int64_t> rows, long width, const float* from, float* to) {
  for (const std::int64_t row : rows) to = std::copy_n(from + row * width, width, to);
}
// to[rows[i]] = from[i]; the other ones of `count` rows are 0.
void scatter(std::span<const std::int64_t> rows, long width, const float* from, std::int64_t count,
             float* to) {
  std::fill_n(to, count * width, 0.0F);
  for (const std::int64_t row : rows) {
    std::copy_n(from, width, to + row * width);
    from += width;
  }
}

}  // namespace

void append_sequence(PackedBatch& batch, std::span<const std::int32_t> tokens,
                     std::span<const std::uint8_t> loss) {
  check(tokens.size() == loss.size(), "append_sequence: one loss flag per token");
  if (batch.starts.empty()) batch.starts.push_back(0);
  const std::int64_t first = batch.size();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    batch.positions.push_back(static_cast<std::int32_t>(i));
    if (i == 0 || loss[i] == 0) continue;
    batch.rows.push_back(first + static_cast<std::int64_t>(i) - 1);
    batch.targets.push_back(tokens[i]);
  }
  batch.tokens.insert(batch.tokens.end(), tokens.begin(), tokens.end());
  batch.starts.push_back(batch.size());
}

Decoder::Decoder(const ModelConfig& config, const Kernels& kernels)
    : config_(config),
      layout_(make_layout(config)),
      kernels_(kernels),
      hidden_(config.hidden_size),
      inner_(config.intermediate_size),
      query_(config.query_width()),
      qkv_(config.qkv_width()),
      rotary_(config) {}

std::size_t Decoder::states(bool keep_layers) const {
  return keep_layers ? layout_.layers.size() : std::min<std::size_t>(layout_.layers.size(), 2);
}

void Decoder::prepare(const PackedBatch& batch, bool keep_layers) {
  const std::int64_t tokens = batch.size();
  if (layers_.size() < states(keep_layers)) layers_.resize(states(keep_layers));
  for (std::size_t i = 0; i < states(keep_layers); ++i) {
    LayerState& s = layers_[i];
    s.input.reserve(tokens * hidden_);
    s.input_inverse_rms.reserve(tokens);
    s.attention_input.reserve(tokens * hidden_);
    s.qkv.reserve(tokens * qkv_);
    if (config_.qk_norm) {
      s.unnormed.reserve(tokens * (qkv_ - config_.key_value_width()));
      s.qk_inverse_rms.reserve(tokens *
                               (config_.num_attention_heads + config_.num_key_value_heads));
    }
    s.attention.reserve(tokens * query_);
    s.log_sum_exp.reserve(tokens * config_.num_attention_heads);
    s.middle.reserve(tokens * hidden_);
    s.middle_inverse_rms.reserve(tokens);
    s.mlp_input.reserve(tokens * hidden_);
    s.gate_up.reserve(tokens * 2 * inner_);
    s.activated.reserve(tokens * inner_);
  }
  std::int64_t longest = 0;
  for (std::size_t i = 1; i < batch.starts.size(); ++i) {
    longest = std::max(longest, batch.starts[i] - batch.starts[i - 1]);
  }
  scratch_.reserve(attention_scratch(longest, config_.head_dim));
  rotary_.extend(longest);
}

void Decoder::rotate(float* qkv, const PackedBatch& batch, bool backward) {
  kernels_.rotary({batch.size(), qkv_, config_.num_attention_heads + config_.num_key_value_heads,
                   config_.head_dim, batch.positions.data(), rotary_.cosines(), rotary_.sines(),
                   backward, qkv});
}

QkNorm Decoder::qk_norm_of(const float* parameters, const LayerOffsets& at, long tokens,
                           const LayerState& s) const {
  return {tokens,
          qkv_,
          config_.num_attention_heads,
          config_.num_key_value_heads,
          config_.head_dim,
          static_cast<float>(config_.rms_norm_eps),
          parameters + at.q_norm,
          parameters + at.k_norm,
          s.qkv.data(),
          s.unnormed.data(),
          s.qk_inverse_rms.data()};
}

Attention Decoder::attention_of(const LayerState& s, const LayerOffsets& at,
                                const PackedBatch& batch, std::size_t sequence) const {
  const std::int64_t first = batch.starts[sequence];
  return {batch.starts[sequence + 1] - first,
          config_.num_attention_heads,
          config_.num_key_value_heads,
          config_.head_dim,
          1.0F / std::sqrt(static_cast<float>(config_.head_dim)),
          s.qkv.data() + first * qkv_,
          s.attention.data() + first * query_,
          s.log_sum_exp.data() + first * config_.num_attention_heads,
          scratch_.data(),
          at.window};
}

// s.attention = heads(norm(s.input)).
void Decoder::attend(const float* parameters, const LayerOffsets& at, const PackedBatch& batch,
                     LayerState& s) {
  const long tokens = batch.size();
  kernels_.rms_norm({tokens, hidden_, static_cast<float>(config_.rms_norm_eps), s.input.data(),
                     parameters + at.input_layernorm, s.attention_input.data(),
                     s.input_inverse_rms.data()});
  linear_forward(kernels_, at.qkv_proj, parameters,
                 {tokens, s.attention_input.data(), s.qkv.data(), /*accumulate=*/false});
  if (config_.qk_norm) normalise_heads(kernels_, qk_norm_of(parameters, at, tokens, s));
  rotate(s.qkv.data(), batch, /*backward=*/false);
  for (std::size_t i = 0; i + 1 < batch.starts.size(); ++i)
    kernels_.attention(attention_of(s, at, batch, i));
}

// s.middle += o_proj(attention).
void Decoder::project(const float* parameters, const LayerOffsets& at, long rows,
                      const float* attention, LayerState& s) {
  linear_forward(kernels_, at.o_proj, parameters,
                 {rows, attention, s.middle.data(), /*accumulate=*/true});
}

// out = s.middle + mlp(norm(s.middle)).
void Decoder::forward_mlp(const float* parameters, const LayerOffsets& at, long rows, LayerState& s,
                          float* out) {
  kernels_.rms_norm({rows, hidden_, static_cast<float>(config_.rms_norm_eps), s.middle.data(),
                     parameters + at.post_attention_layernorm, s.mlp_input.data(),
                     s.middle_inverse_rms.data()});
  linear_forward(kernels_, at.gate_up_proj, parameters,
                 {rows, s.mlp_input.data(), s.gate_up.data(), /*accumulate=*/false});
  kernels_.swiglu({rows, inner_, s.gate_up.data(), s.activated.data()});
  std::copy_n(s.middle.data(), rows * hidden_, out);
  linear_forward(kernels_, at.down_proj, parameters,
                 {rows, s.activated.data(), out, /*accumulate=*/true});
}

// last_: output of the last layer, for `rows` only.
void Decoder::forward(const float* parameters, const PackedBatch& batch, Rows rows,
                      bool keep_layers) {
  prepare(batch, keep_layers);
  const long tokens = batch.size();
  const auto kept = static_cast<long>(rows.size());
  const float* embeddings = parameters + layout_.embed_tokens;
  float* first = state(0, keep_layers).input.data();
  for (long i = 0; i < tokens; ++i) {
    const std::int32_t token = batch.tokens[static_cast<std::size_t>(i)];
    check(token >= 0 && token < config_.vocab_size, "Decoder: token ids lie within the vocabulary");
    std::copy_n(embeddings + token * hidden_, hidden_, first + i * hidden_);
  }
  for (std::size_t i = 0; i + 1 < layout_.layers.size(); ++i) {
    LayerState& s = state(i, keep_layers);
    attend(parameters, layout_.layers[i], batch, s);
    std::copy_n(s.input.data(), tokens * hidden_, s.middle.data());
    project(parameters, layout_.layers[i], tokens, s.attention.data(), s);
    forward_mlp(parameters, layout_.layers[i], tokens, s, state(i + 1, keep_layers).input.data());
  }
  LayerState& s = state(layout_.layers.size() - 1, keep_layers);
  attend(parameters, layout_.layers.back(), batch, s);
  gather(rows, query_, s.attention.data(), kept_attention_.reserve(kept * query_));
  gather(rows, hidden_, s.input.data(), s.middle.data());
  project(parameters, layout_.layers.back(), kept, kept_attention_.data(), s);
  forward_mlp(parameters, layout_.layers.back(), kept, s, last_.reserve(kept * hidden_));
}

void Decoder::normalise_last(const float* parameters, long rows) {
  kernels_.rms_norm({rows, hidden_, static_cast<float>(config_.rms_norm_eps), last_.data(),
                     parameters + layout_.norm, normed_.reserve(rows * hidden_),
                     last_inverse_rms_.reserve(rows)});
}

// Logits and losses chunk by chunk; with gradients also those of the head, and dnormed_. Sum of
// -logprobs.
double Decoder::head(const float* parameters, const PackedBatch& batch, float scale,
                     float* gradients) {
  const std::int64_t targets = batch.target_count();
  const long vocab = config_.vocab_size;
  const std::int64_t chunk =
      std::clamp<std::int64_t>(kLogitFloats / vocab, 16, std::max<std::int64_t>(targets, 16));
  float* logits = logits_.reserve(chunk * vocab);
  float* logprobs = logprobs_.reserve(targets);
  for (std::int64_t first = 0; first < targets; first += chunk) {
    const long rows = std::min(chunk, targets - first);
    const float* x = normed_.data() + first * hidden_;
    linear_forward(kernels_, layout_.lm_head, parameters, {rows, x, logits, /*accumulate=*/false});
    kernels_.cross_entropy(
        {rows, vocab, scale, batch.targets.data() + first, logits, logprobs + first});
    if (gradients == nullptr) continue;
    linear_backward(kernels_, layout_.lm_head, parameters,
                    {rows, x, logits, dnormed_.data() + first * hidden_}, gradients);
  }
  double loss = 0;
  for (std::int64_t i = 0; i < targets; ++i) loss -= static_cast<double>(logprobs[i]);
  return loss;
}

// dkept_: gradient of last_.
void Decoder::backward_norm(const float* parameters, long rows, float* gradients) {
  float* dkept = dkept_.reserve(rows * hidden_);
  std::fill_n(dkept, rows * hidden_, 0.0F);
  kernels_.rms_norm_backward({rows, hidden_, last_.data(), parameters + layout_.norm,
                              last_inverse_rms_.data(), dnormed_.data(), dkept,
                              gradients + layout_.norm});
}

// dx on entry: gradient of the layer's output; on return: of s.middle.
void Decoder::backward_mlp(const float* parameters, const LayerOffsets& at, long rows,
                           LayerState& s, float* dx, float* gradients) {
  linear_backward(kernels_, at.down_proj, parameters,
                  {rows, s.activated.data(), dx, dactivated_.data()}, gradients);
  kernels_.swiglu_backward({rows, inner_, s.gate_up.data(), dactivated_.data(), dgate_up_.data()});
  linear_backward(kernels_, at.gate_up_proj, parameters,
                  {rows, s.mlp_input.data(), dgate_up_.data(), dnormed_.data()}, gradients);
  kernels_.rms_norm_backward({rows, hidden_, s.middle.data(),
                              parameters + at.post_attention_layernorm, s.middle_inverse_rms.data(),
                              dnormed_.data(), dx, gradients + at.post_attention_layernorm});
}

// dattention from the gradient of s.middle.
void Decoder::backward_project(const float* parameters, const LayerOffsets& at, long rows,
                               const Projection& p, float* gradients) {
  linear_backward(kernels_, at.o_proj, parameters, {rows, p.attention, p.dx, p.dattention},
                  gradients);
}

// dx_ on entry: gradient of s.middle; on return: of s.input.
void Decoder::backward_attend(const float* parameters, const LayerOffsets& at,
                              const PackedBatch& batch, LayerState& s, float* gradients) {
  const long tokens = batch.size();
  for (std::size_t i = 0; i + 1 < batch.starts.size(); ++i) {
    kernels_.attention_backward({attention_of(s, at, batch, i),
                                 dattention_.data() + batch.starts[i] * query_,
                                 dqkv_.data() + batch.starts[i] * qkv_});
  }
  rotate(dqkv_.data(), batch, /*backward=*/true);
  if (config_.qk_norm) {
    normalise_heads_backward(
        kernels_, {qk_norm_of(parameters, at, tokens, s), dqkv_.data(), gradients + at.q_norm,
                   gradients + at.k_norm, qk_scratch_.reserve(qkv_)});
  }
  linear_backward(kernels_, at.qkv_proj, parameters,
                  {tokens, s.attention_input.data(), dqkv_.data(), dnormed_.data()}, gradients);
  kernels_.rms_norm_backward({tokens, hidden_, s.input.data(), parameters + at.input_layernorm,
                              s.input_inverse_rms.data(), dnormed_.data(), dx_.data(),
                              gradients + at.input_layernorm});
}

// The last layer: dx_ and dattention_ for all tokens from dkept_, by way of its rows.
void Decoder::backward_last(const float* parameters, const PackedBatch& batch, float* gradients) {
  const LayerOffsets& at = layout_.layers.back();
  const long targets = batch.target_count();
  backward_mlp(parameters, at, targets, layers_.back(), dkept_.data(), gradients);
  float* dkept_attention = dkept_attention_.reserve(targets * query_);
  backward_project(parameters, at, targets,
                   {dkept_.data(), kept_attention_.data(), dkept_attention}, gradients);
  scatter(batch.rows, hidden_, dkept_.data(), batch.size(), dx_.data());
  scatter(batch.rows, query_, dkept_attention, batch.size(), dattention_.data());
  backward_attend(parameters, at, batch, layers_.back(), gradients);
}

// From dkept_ down to the embeddings.
void Decoder::backward(const float* parameters, const PackedBatch& batch, float* gradients) {
  const long tokens = batch.size();
  backward_last(parameters, batch, gradients);
  for (std::size_t i = layout_.layers.size() - 1; i-- > 0;) {
    const LayerOffsets& at = layout_.layers[i];
    LayerState& s = layers_[i];
    backward_mlp(parameters, at, tokens, s, dx_.data(), gradients);
    backward_project(parameters, at, tokens, {dx_.data(), s.attention.data(), dattention_.data()},
                     gradients);
    backward_attend(parameters, at, batch, s, gradients);
  }
  float* dembeddings = gradients + layout_.embed_tokens;
  for (long i = 0; i < tokens; ++i) {
    kernels_.add(dembeddings + batch.tokens[static_cast<std::size_t>(i)] * hidden_,
                 dx_.data() + i * hidden_, hidden_);
  }
}

double Decoder::add_gradients(const float* parameters, const PackedBatch& batch, float scale,
                              float* gradients) {
  if (batch.target_count() == 0) return 0;
  const std::int64_t tokens = batch.size();
  dx_.reserve(tokens * hidden_);
  dnormed_.reserve(tokens * hidden_);
  dactivated_.reserve(tokens * inner_);
  dgate_up_.reserve(tokens * 2 * inner_);
  dattention_.reserve(tokens * query_);
  dqkv_.reserve(tokens * qkv_);
  forward(parameters, batch, batch.rows, /*keep_layers=*/true);
  normalise_last(parameters, batch.target_count());
  const double loss = head(parameters, batch, scale, gradients);
  backward_norm(parameters, batch.target_count(), gradients);
  backward(parameters, batch, gradients);
  return loss;
}

void Decoder::logprobs(const float* parameters, const PackedBatch& batch, float* logprobs) {
  if (batch.target_count() == 0) return;
  forward(parameters, batch, batch.rows, /*keep_layers=*/false);
  normalise_last(parameters, batch.target_count());
  (void)head(parameters, batch, /*scale=*/0, /*gradients=*/nullptr);
  std::copy_n(logprobs_.data(), batch.target_count(), logprobs);
}

void Decoder::logits(const float* parameters, const PackedBatch& batch, float* logits) {
  std::vector<std::int64_t> all(batch.tokens.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  forward(parameters, batch, all, /*keep_layers=*/false);
  normalise_last(parameters, batch.size());
  linear_forward(kernels_, layout_.lm_head, parameters,
                 {batch.size(), normed_.data(), logits, /*accumulate=*/false});
}

}  // namespace tapir::student
