#include "student/decoder.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "student/bf16_kernels.h"
#include "student/linear.h"

namespace tapir::student {
namespace {

// Logits of so many floats at a time, but of no fewer rows: [targets, vocab] never exists whole
// when it is large, and each pass over the head's weights is worth its while.
constexpr std::int64_t kLogitFloats = 1 << 18;
constexpr std::int64_t kLogitRows = 128;

// to[i] = from[rows[i]], rows of `width`.
void gather(std::span<const std::int64_t> rows, long width, const float* from, float* to) {
  for (const std::int64_t row : rows) to = std::copy_n(from + row * width, width, to);
}

Kernels kernels_for(const Kernels& kernels, const DecoderOptions& options) {
  Kernels chosen = kernels;
  if (options.bf16) {
    check(bf16_kernels() != nullptr, "Decoder: bf16 where the CPU has units for it");
    chosen.multiply = bf16_kernels()->multiply;
  }
  return chosen;
}

// Rows of logits that exist at a time.
std::int64_t logit_rows(const ModelConfig& config, const DecoderOptions& options,
                        std::int64_t targets) {
  const std::int64_t chosen = std::max(kLogitFloats / config.vocab_size, kLogitRows);
  return std::min(options.logits_at_once > 0 ? options.logits_at_once : chosen, targets);
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

void append_dropout_keys(PackedBatch& batch, std::uint64_t row) {
  for (auto token = static_cast<std::int64_t>(batch.dropout_keys.size()); token < batch.size();
       ++token) {
    batch.dropout_keys.push_back(
        dropout_key(row, batch.positions[static_cast<std::size_t>(token)]));
  }
}

Decoder::Decoder(const ModelConfig& config, const Kernels& kernels, const DecoderOptions& options)
    : config_(config),
      layout_(make_layout(config)),
      options_(options),
      kernels_(kernels_for(kernels, options)),
      hidden_(config.hidden_size),
      inner_(config.intermediate_size),
      query_(config.query_width()),
      qkv_(config.qkv_width()),
      rotary_(config) {
  if (options.adapter != nullptr)
    adapter_.emplace(*options.adapter, options.lora_dropout, kernels_);
}

void Decoder::prepare(const PackedBatch& batch, Keep keep) {
  const std::int64_t tokens = batch.size();
  const std::size_t layers = layout_.layers.size();
  states_.resize(keep == Keep::states ? layers : 1);
  inputs_.resize(keep == Keep::nothing ? std::min<std::size_t>(layers, 2) : layers);
  for (FloatBuffer& input : inputs_) input.reserve(tokens * hidden_);
  for (LayerState& s : states_) reserve_state(s, tokens);
  std::int64_t longest = 0;
  for (std::size_t i = 1; i < batch.starts.size(); ++i) {
    longest = std::max(longest, batch.starts[i] - batch.starts[i - 1]);
  }
  scratch_.reserve(attention_scratch(longest, config_.head_dim));
  rotary_.extend(longest);
}

void Decoder::reserve_state(LayerState& s, std::int64_t tokens) const {
  const int heads = config_.num_attention_heads;
  s.input_inverse_rms.reserve(tokens);
  s.attention_input.reserve(tokens * hidden_);
  s.qkv.reserve(tokens * qkv_);
  if (config_.qk_norm) {
    s.unnormed.reserve(tokens * (qkv_ - config_.key_value_width()));
    s.qk_inverse_rms.reserve(tokens * (heads + config_.num_key_value_heads));
  }
  s.attention.reserve(tokens * query_);
  s.log_sum_exp.reserve(tokens * heads);
  s.middle.reserve(tokens * hidden_);
  s.middle_inverse_rms.reserve(tokens);
  s.mlp_input.reserve(tokens * hidden_);
  s.gate_up.reserve(tokens * 2 * inner_);
  s.activated.reserve(tokens * inner_);
}

void Decoder::begin_adapter(const PackedBatch& batch, float* gradients) {
  if (!adapter_) return;
  check(adapter_values_ != nullptr, "Decoder: set_adapter() comes before a pass");
  std::span<const DropoutKey> keys;
  if (gradients != nullptr) keys = batch.dropout_keys;
  adapter_->begin(adapter_values_, gradients, keys);
}

void Decoder::apply(const Linear& layer, const float* parameters, const LinearForward& pass,
                    Rows rows) {
  linear_forward(kernels_, layer, parameters, pass);
  if (adapter_) adapter_->forward(layer, pass, rows);
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

// s.attention = heads(norm(input)).
void Decoder::attend(const float* parameters, const LayerOffsets& at, const PackedBatch& batch,
                     const float* input, LayerState& s) {
  const long tokens = batch.size();
  kernels_.rms_norm({tokens, hidden_, static_cast<float>(config_.rms_norm_eps), input,
                     parameters + at.input_layernorm, s.attention_input.data(),
                     s.input_inverse_rms.data()});
  apply(at.qkv_proj, parameters,
        {tokens, s.attention_input.data(), s.qkv.data(), /*accumulate=*/false});
  if (config_.qk_norm) normalise_heads(kernels_, qk_norm_of(parameters, at, tokens, s));
  rotate(s.qkv.data(), batch, /*backward=*/false);
  for (std::size_t i = 0; i + 1 < batch.starts.size(); ++i)
    kernels_.attention(attention_of(s, at, batch, i));
}

void Decoder::project(const float* parameters, const LayerOffsets& at, const float* attention,
                      LayerState& s, long rows, Rows which) {
  apply(at.o_proj, parameters, {rows, attention, s.middle.data(), /*accumulate=*/true}, which);
}

// s.activated = swiglu(gate_up_proj(norm(s.middle))).
void Decoder::activate(const float* parameters, const LayerOffsets& at, LayerState& s, long rows,
                       Rows which) {
  kernels_.rms_norm({rows, hidden_, static_cast<float>(config_.rms_norm_eps), s.middle.data(),
                     parameters + at.post_attention_layernorm, s.mlp_input.data(),
                     s.middle_inverse_rms.data()});
  apply(at.gate_up_proj, parameters,
        {rows, s.mlp_input.data(), s.gate_up.data(), /*accumulate=*/false}, which);
  kernels_.swiglu({rows, inner_, s.gate_up.data(), s.activated.data()});
}

// out = s.middle + down_proj(s.activated).
void Decoder::finish(const float* parameters, const LayerOffsets& at, LayerState& s, float* out,
                     long rows, Rows which) {
  std::copy_n(s.middle.data(), rows * hidden_, out);
  apply(at.down_proj, parameters, {rows, s.activated.data(), out, /*accumulate=*/true}, which);
}

void Decoder::embed(const float* parameters, const PackedBatch& batch, float* out) const {
  const float* embeddings = parameters + layout_.embed_tokens;
  for (const std::int32_t token : batch.tokens) {
    check(token >= 0 && token < config_.vocab_size, "Decoder: token ids lie within the vocabulary");
    out = std::copy_n(embeddings + token * hidden_, hidden_, out);
  }
}

// last_: output of the last layer, for `rows` only.
void Decoder::forward(const float* parameters, const PackedBatch& batch, Rows rows, Keep keep) {
  prepare(batch, keep);
  const long tokens = batch.size();
  const auto kept = static_cast<long>(rows.size());
  embed(parameters, batch, input(0));
  const std::size_t last = layout_.layers.size() - 1;
  for (std::size_t i = 0; i < last; ++i) {
    const LayerOffsets& at = layout_.layers[i];
    LayerState& s = state(i);
    attend(parameters, at, batch, input(i), s);
    std::copy_n(input(i), tokens * hidden_, s.middle.data());
    project(parameters, at, s.attention.data(), s, tokens, {});
    activate(parameters, at, s, tokens, {});
    finish(parameters, at, s, input(i + 1), tokens, {});
  }
  const LayerOffsets& at = layout_.layers[last];
  LayerState& s = state(last);
  attend(parameters, at, batch, input(last), s);
  gather(rows, query_, s.attention.data(), kept_attention_.reserve(kept * query_));
  gather(rows, hidden_, input(last), s.middle.data());
  project(parameters, at, kept_attention_.data(), s, kept, rows);
  activate(parameters, at, s, kept, rows);
  finish(parameters, at, s, last_.reserve(kept * hidden_), kept, rows);
}

void Decoder::normalise_last(const float* parameters, long rows) {
  kernels_.rms_norm({rows, hidden_, static_cast<float>(config_.rms_norm_eps), last_.data(),
                     parameters + layout_.norm, normed_.reserve(rows * hidden_),
                     last_inverse_rms_.reserve(rows)});
}

// Logits and losses chunk by chunk; with gradients also dnormed_, and those of the head unless it
// is frozen. Sum of -logprobs.
double Decoder::head(const float* parameters, const PackedBatch& batch, float scale,
                     float* gradients, bool wants_gradients) {
  const std::int64_t targets = batch.target_count();
  const long vocab = config_.vocab_size;
  const std::int64_t chunk = logit_rows(config_, options_, targets);
  float* logits = logits_.reserve(chunk * vocab);
  float* logprobs = logprobs_.reserve(targets);
  for (std::int64_t first = 0; first < targets; first += chunk) {
    const long rows = std::min(chunk, targets - first);
    const float* x = normed_.data() + first * hidden_;
    linear_forward(kernels_, layout_.lm_head, parameters, {rows, x, logits, /*accumulate=*/false});
    kernels_.cross_entropy(
        {rows, vocab, scale, batch.targets.data() + first, logits, logprobs + first});
    if (!wants_gradients) continue;
    linear_backward(kernels_, layout_.lm_head, parameters,
                    {rows, x, logits, dnormed_.data() + first * hidden_}, gradients);
  }
  double loss = 0;
  for (std::int64_t i = 0; i < targets; ++i) loss -= static_cast<double>(logprobs[i]);
  return loss;
}

void Decoder::logprobs(const float* parameters, const PackedBatch& batch, float* logprobs) {
  if (batch.target_count() == 0) return;
  begin_adapter(batch, /*gradients=*/nullptr);
  forward(parameters, batch, batch.rows, Keep::nothing);
  normalise_last(parameters, batch.target_count());
  (void)head(parameters, batch, /*scale=*/0, /*gradients=*/nullptr, /*wants_gradients=*/false);
  std::copy_n(logprobs_.data(), batch.target_count(), logprobs);
}

void Decoder::logits(const float* parameters, const PackedBatch& batch, float* logits) {
  std::vector<std::int64_t> all(batch.tokens.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  begin_adapter(batch, /*gradients=*/nullptr);
  forward(parameters, batch, all, Keep::nothing);
  normalise_last(parameters, batch.size());
  linear_forward(kernels_, layout_.lm_head, parameters,
                 {batch.size(), normed_.data(), logits, /*accumulate=*/false});
}

std::int64_t training_bytes(const ModelConfig& config, const DecoderOptions& options,
                            const PassSize& pass) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t inner = config.intermediate_size;
  const std::int64_t query = config.query_width();
  const std::int64_t qkv = config.qkv_width();
  const std::int64_t heads = config.num_attention_heads + config.num_key_value_heads;
  const std::int64_t layers = config.num_hidden_layers;
  std::int64_t state = 3 * hidden + qkv + query + 3 * inner + config.num_attention_heads + 2;
  if (config.qk_norm) state += qkv - config.key_value_width() + heads;
  const std::int64_t states = options.gradient_checkpointing ? 1 : layers;
  // dx, dnormed, dactivated, dgate_up, dattention, dqkv
  const std::int64_t way_back = 2 * hidden + 3 * inner + query + qkv;
  std::int64_t floats = pass.tokens * (states * state + layers * hidden + way_back);
  // kept_attention, last, normed, dkept, dkept_attention, inverse_rms and logprobs
  floats += pass.targets * (2 * query + 3 * hidden + 2);
  floats +=
      logit_rows(config, options, std::max<std::int64_t>(1, pass.targets)) * config.vocab_size;
  floats += attention_scratch(static_cast<long>(pass.longest), config.head_dim) +
            pass.longest * config.head_dim;
  if (options.adapter != nullptr) {
    std::int64_t rank = 0;
    for (const LowRankPair& pair : options.adapter->pairs) rank = std::max(rank, pair.rank);
    floats += pass.tokens * 2 * rank;
    if (options.lora_dropout > 0) floats += pass.tokens * 2 * std::max({hidden, inner, query});
  }
  return floats * static_cast<std::int64_t>(sizeof(float));
}

}  // namespace tapir::student
