// The way back through the decoder.
#include <algorithm>

#include "student/decoder.h"
#include "student/linear.h"

namespace tapir::student {
namespace {

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

void Decoder::apply_backward(const Linear& layer, const float* parameters,
                             const LinearBackward& pass, float* gradients, Rows rows) {
  linear_backward(kernels_, layer, parameters, pass, adapter_ ? nullptr : gradients);
  if (adapter_) adapter_->backward(layer, pass, rows);
}

float* Decoder::norm_gradient(float* gradients, std::int64_t offset) {
  return adapter_ ? frozen_.data() : gradients + offset;
}

// The state of a layer of which only the input was kept.
void Decoder::recompute(const float* parameters, std::size_t layer, const PackedBatch& batch) {
  const LayerOffsets& at = layout_.layers[layer];
  const long tokens = batch.size();
  LayerState& s = state(layer);
  attend(parameters, at, batch, input(layer), s);
  std::copy_n(input(layer), tokens * hidden_, s.middle.data());
  project(parameters, at, s.attention.data(), s, tokens, {});
  activate(parameters, at, s, tokens, {});
}

// dkept_: gradient of last_.
void Decoder::backward_norm(const float* parameters, long rows, float* gradients) {
  float* dkept = dkept_.reserve(rows * hidden_);
  std::fill_n(dkept, rows * hidden_, 0.0F);
  kernels_.rms_norm_backward({rows, hidden_, last_.data(), parameters + layout_.norm,
                              last_inverse_rms_.data(), dnormed_.data(), dkept,
                              norm_gradient(gradients, layout_.norm)});
}

// dx on entry: gradient of the layer's output; on return: of s.middle.
void Decoder::backward_mlp(const float* parameters, const LayerOffsets& at, LayerState& s,
                           float* dx, float* gradients, long rows, Rows which) {
  apply_backward(at.down_proj, parameters, {rows, s.activated.data(), dx, dactivated_.data()},
                 gradients, which);
  kernels_.swiglu_backward({rows, inner_, s.gate_up.data(), dactivated_.data(), dgate_up_.data()});
  apply_backward(at.gate_up_proj, parameters,
                 {rows, s.mlp_input.data(), dgate_up_.data(), dnormed_.data()}, gradients, which);
  kernels_.rms_norm_backward({rows, hidden_, s.middle.data(),
                              parameters + at.post_attention_layernorm, s.middle_inverse_rms.data(),
                              dnormed_.data(), dx,
                              norm_gradient(gradients, at.post_attention_layernorm)});
}

// dx_ on entry: gradient of s.middle; on return: of the layer's input. dattention_: of s.attention.
void Decoder::backward_attend(const float* parameters, std::size_t layer, const PackedBatch& batch,
                              float* gradients) {
  const LayerOffsets& at = layout_.layers[layer];
  LayerState& s = state(layer);
  const long tokens = batch.size();
  for (std::size_t i = 0; i + 1 < batch.starts.size(); ++i) {
    kernels_.attention_backward({attention_of(s, at, batch, i),
                                 dattention_.data() + batch.starts[i] * query_,
                                 dqkv_.data() + batch.starts[i] * qkv_});
  }
  rotate(dqkv_.data(), batch, /*backward=*/true);
  if (config_.qk_norm) {
    normalise_heads_backward(
        kernels_,
        {qk_norm_of(parameters, at, tokens, s), dqkv_.data(), norm_gradient(gradients, at.q_norm),
         norm_gradient(gradients, at.k_norm), qk_scratch_.reserve(qkv_)});
  }
  // Below the first layer there is nothing to learn when the base is frozen.
  const bool wants_input = !adapter_ || layer > 0;
  apply_backward(
      at.qkv_proj, parameters,
      {tokens, s.attention_input.data(), dqkv_.data(), wants_input ? dnormed_.data() : nullptr},
      gradients);
  if (!wants_input) return;
  kernels_.rms_norm_backward({tokens, hidden_, input(layer), parameters + at.input_layernorm,
                              s.input_inverse_rms.data(), dnormed_.data(), dx_.data(),
                              norm_gradient(gradients, at.input_layernorm)});
}

// The last layer: dx_ and dattention_ for all tokens from dkept_, by way of its rows.
void Decoder::backward_last(const float* parameters, const PackedBatch& batch, float* gradients) {
  const std::size_t last = layout_.layers.size() - 1;
  const LayerOffsets& at = layout_.layers[last];
  const long targets = batch.target_count();
  backward_mlp(parameters, at, state(last), dkept_.data(), gradients, targets, batch.rows);
  float* dkept_attention = dkept_attention_.reserve(targets * query_);
  apply_backward(at.o_proj, parameters,
                 {targets, kept_attention_.data(), dkept_.data(), dkept_attention}, gradients,
                 batch.rows);
  scatter(batch.rows, hidden_, dkept_.data(), batch.size(), dx_.data());
  scatter(batch.rows, query_, dkept_attention, batch.size(), dattention_.data());
  backward_attend(parameters, last, batch, gradients);
}

// From dkept_ down to the embeddings.
void Decoder::backward(const float* parameters, const PackedBatch& batch, float* gradients) {
  const long tokens = batch.size();
  backward_last(parameters, batch, gradients);
  for (std::size_t i = layout_.layers.size() - 1; i-- > 0;) {
    const LayerOffsets& at = layout_.layers[i];
    if (options_.gradient_checkpointing) recompute(parameters, i, batch);
    LayerState& s = state(i);
    backward_mlp(parameters, at, s, dx_.data(), gradients, tokens, {});
    apply_backward(at.o_proj, parameters,
                   {tokens, s.attention.data(), dx_.data(), dattention_.data()}, gradients);
    backward_attend(parameters, i, batch, gradients);
  }
  if (adapter_) return;
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
  const long widest = std::max<long>(hidden_, config_.head_dim);
  if (adapter_) std::fill_n(frozen_.reserve(widest), widest, 0.0F);
  begin_adapter(batch, gradients);
  forward(parameters, batch, batch.rows,
          options_.gradient_checkpointing ? Keep::inputs : Keep::states);
  normalise_last(parameters, batch.target_count());
  const double loss = head(parameters, batch, scale, adapter_ ? nullptr : gradients,
                           /*wants_gradients=*/true);
  backward_norm(parameters, batch.target_count(), gradients);
  backward(parameters, batch, gradients);
  return loss;
}

}  // namespace tapir::student
