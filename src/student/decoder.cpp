#include "student/decoder.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <new>

#include "base/error.h"

namespace tapir::student {
namespace {

// Logits of so many floats at a time: [targets, vocab] never exists whole when it is large.
constexpr std::int64_t kLogitFloats = 1 << 18;

// y[rows, out] (+)= x[rows, in] W^T, W [out, in].
MatrixProduct linear(long rows, long in, long out, const float* x, const float* w, float* y) {
  return {rows, out, in, x, in, 1, w, 1, in, y, out, false};
}
// dx[rows, in] = dy[rows, out] W.
MatrixProduct linear_input_gradient(long rows, long in, long out, const float* dy, const float* w,
                                    float* dx) {
  return {rows, in, out, dy, out, 1, w, in, 1, dx, in, false};
}
// dW[out, in] += dy^T x.
MatrixProduct linear_weight_gradient(long rows, long in, long out, const float* dy, const float* x,
                                     float* dw) {
  return {out, in, rows, dy, 1, out, x, in, 1, dw, in, true};
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

void FloatBuffer::Free::operator()(float* data) const { std::free(data); }

float* FloatBuffer::reserve(std::int64_t size) {
  constexpr std::size_t kLine = 64;
  if (size <= capacity_) return data_.get();
  const std::size_t bytes =
      (static_cast<std::size_t>(size) * sizeof(float) + kLine - 1) / kLine * kLine;
  data_.reset();
  capacity_ = 0;
  data_.reset(static_cast<float*>(std::aligned_alloc(kLine, bytes)));
  if (!data_) throw std::bad_alloc();
  capacity_ = size;
  return data_.get();
}

Decoder::Decoder(const ModelConfig& config, const Kernels& kernels)
    : config_(config),
      layout_(make_layout(config)),
      kernels_(kernels),
      hidden_(config.hidden_size),
      inner_(config.intermediate_size),
      query_(config.query_width()),
      qkv_(config.query_width() + 2 * config.key_value_width()) {}

void Decoder::prepare(const PackedBatch& batch, bool keep_layers) {
  const std::int64_t tokens = batch.size();
  const std::size_t states = layout_.layers.size();
  if (layers_.size() < (keep_layers ? states : std::min<std::size_t>(states, 2))) {
    layers_.resize(keep_layers ? states : std::min<std::size_t>(states, 2));
  }
  for (std::size_t i = 0; i < (keep_layers ? states : std::min<std::size_t>(states, 2)); ++i) {
    LayerState& s = layers_[i];
    s.input.reserve(tokens * hidden_);
    s.input_inverse_rms.reserve(tokens);
    s.attention_input.reserve(tokens * hidden_);
    s.qkv.reserve(tokens * qkv_);
    s.attention.reserve(tokens * query_);
    s.log_sum_exp.reserve(tokens * config_.num_attention_heads);
    s.middle.reserve(tokens * hidden_);
    s.middle_inverse_rms.reserve(tokens);
    s.mlp_input.reserve(tokens * hidden_);
    s.gate_up.reserve(tokens * 2 * inner_);
    s.activated.reserve(tokens * inner_);
  }
  last_.reserve(tokens * hidden_);
  std::int64_t longest = 0;
  for (std::size_t i = 1; i < batch.starts.size(); ++i) {
    longest = std::max(longest, batch.starts[i] - batch.starts[i - 1]);
  }
  scratch_.reserve(attention_scratch(longest, config_.head_dim));
  const int half = config_.head_dim / 2;
  for (auto position = static_cast<std::int64_t>(cosines_.size()) / half; position < longest;
       ++position) {
    for (int i = 0; i < half; ++i) {
      // In the steps and the precision in which transformers computes them.
      const float exponent = static_cast<float>(2 * i) / static_cast<float>(config_.head_dim);
      const float frequency = 1.0F / static_cast<float>(std::pow(config_.rope_theta, exponent));
      const float angle = static_cast<float>(position) * frequency;
      cosines_.push_back(static_cast<float>(std::cos(static_cast<double>(angle))));
      sines_.push_back(static_cast<float>(std::sin(static_cast<double>(angle))));
    }
  }
}

void Decoder::rotate(float* qkv, const PackedBatch& batch, bool backward) {
  kernels_.rotary({batch.size(), qkv_, config_.num_attention_heads + config_.num_key_value_heads,
                   config_.head_dim, batch.positions.data(), cosines_.data(), sines_.data(),
                   backward, qkv});
}

Attention Decoder::attention_of(const LayerState& s, const PackedBatch& batch,
                                std::size_t sequence) {
  const std::int64_t first = batch.starts[sequence];
  return {batch.starts[sequence + 1] - first,
          config_.num_attention_heads,
          config_.num_key_value_heads,
          config_.head_dim,
          1.0F / std::sqrt(static_cast<float>(config_.head_dim)),
          s.qkv.data() + first * qkv_,
          s.attention.data() + first * query_,
          s.log_sum_exp.data() + first * config_.num_attention_heads,
          scratch_.data()};
}

// s.middle = s.input + attention(norm(s.input)).
void Decoder::forward_attention(const float* parameters, const LayerOffsets& at,
                                const PackedBatch& batch, LayerState& s) {
  const long tokens = batch.size();
  kernels_.rms_norm({tokens, hidden_, static_cast<float>(config_.rms_norm_eps), s.input.data(),
                     parameters + at.input_layernorm, s.attention_input.data(),
                     s.input_inverse_rms.data()});
  kernels_.multiply(linear(tokens, hidden_, qkv_, s.attention_input.data(),
                           parameters + at.qkv_proj, s.qkv.data()));
  rotate(s.qkv.data(), batch, /*backward=*/false);
  for (std::size_t i = 0; i + 1 < batch.starts.size(); ++i)
    kernels_.attention(attention_of(s, batch, i));
  MatrixProduct out =
      linear(tokens, query_, hidden_, s.attention.data(), parameters + at.o_proj, s.middle.data());
  std::copy_n(s.input.data(), tokens * hidden_, s.middle.data());
  out.accumulate = true;
  kernels_.multiply(out);
}

// out = s.middle + mlp(norm(s.middle)).
void Decoder::forward_mlp(const float* parameters, const LayerOffsets& at, long tokens,
                          LayerState& s, float* out) {
  kernels_.rms_norm({tokens, hidden_, static_cast<float>(config_.rms_norm_eps), s.middle.data(),
                     parameters + at.post_attention_layernorm, s.mlp_input.data(),
                     s.middle_inverse_rms.data()});
  kernels_.multiply(linear(tokens, hidden_, 2 * inner_, s.mlp_input.data(),
                           parameters + at.gate_up_proj, s.gate_up.data()));
  kernels_.swiglu({tokens, inner_, s.gate_up.data(), s.activated.data()});
  MatrixProduct down =
      linear(tokens, inner_, hidden_, s.activated.data(), parameters + at.down_proj, out);
  std::copy_n(s.middle.data(), tokens * hidden_, out);
  down.accumulate = true;
  kernels_.multiply(down);
}

void Decoder::forward(const float* parameters, const PackedBatch& batch, bool keep_layers) {
  prepare(batch, keep_layers);
  const long tokens = batch.size();
  const float* embeddings = parameters + layout_.embed_tokens;
  float* first = state(0, keep_layers).input.data();
  for (long i = 0; i < tokens; ++i) {
    const std::int32_t token = batch.tokens[static_cast<std::size_t>(i)];
    check(token >= 0 && token < config_.vocab_size, "Decoder: token ids lie within the vocabulary");
    std::copy_n(embeddings + token * hidden_, hidden_, first + i * hidden_);
  }
  for (std::size_t i = 0; i < layout_.layers.size(); ++i) {
    LayerState& s = state(i, keep_layers);
    const bool is_last = i + 1 == layout_.layers.size();
    forward_attention(parameters, layout_.layers[i], batch, s);
    forward_mlp(parameters, layout_.layers[i], tokens, s,
                is_last ? last_.data() : state(i + 1, keep_layers).input.data());
  }
}

// head_input_, head_normed_: the rows before a target, and their norm.
void Decoder::gather_targets(const float* parameters, const PackedBatch& batch) {
  const std::int64_t targets = batch.target_count();
  head_input_.reserve(targets * hidden_);
  head_inverse_rms_.reserve(targets);
  head_normed_.reserve(targets * hidden_);
  logprobs_.reserve(targets);
  for (std::int64_t i = 0; i < targets; ++i) {
    std::copy_n(last_.data() + batch.rows[static_cast<std::size_t>(i)] * hidden_, hidden_,
                head_input_.data() + i * hidden_);
  }
  kernels_.rms_norm({targets, hidden_, static_cast<float>(config_.rms_norm_eps), head_input_.data(),
                     parameters + layout_.norm, head_normed_.data(), head_inverse_rms_.data()});
}

// Logits and losses chunk by chunk; with gradients also those of the head, and dhead_normed_. Sum
// of -logprobs.
double Decoder::head(const float* parameters, const PackedBatch& batch, float scale,
                     float* gradients) {
  const std::int64_t targets = batch.target_count();
  const long vocab = config_.vocab_size;
  const std::int64_t chunk =
      std::clamp<std::int64_t>(kLogitFloats / vocab, 16, std::max<std::int64_t>(targets, 16));
  const float* weight = parameters + layout_.lm_head;
  float* logits = logits_.reserve(chunk * vocab);
  dhead_normed_.reserve(targets * hidden_);
  for (std::int64_t first = 0; first < targets; first += chunk) {
    const long rows = std::min(chunk, targets - first);
    const float* x = head_normed_.data() + first * hidden_;
    kernels_.multiply(linear(rows, hidden_, vocab, x, weight, logits));
    kernels_.cross_entropy(
        {rows, vocab, scale, batch.targets.data() + first, logits, logprobs_.data() + first});
    if (gradients == nullptr) continue;
    kernels_.multiply(linear_input_gradient(rows, hidden_, vocab, logits, weight,
                                            dhead_normed_.data() + first * hidden_));
    kernels_.multiply(
        linear_weight_gradient(rows, hidden_, vocab, logits, x, gradients + layout_.lm_head));
  }
  double loss = 0;
  for (std::int64_t i = 0; i < targets; ++i) loss -= static_cast<double>(logprobs_.data()[i]);
  return loss;
}

// dx_ from the gradient of the normed rows before targets; zero elsewhere.
void Decoder::scatter_targets(const float* parameters, const PackedBatch& batch, float* gradients) {
  const std::int64_t targets = batch.target_count();
  float* drows = dhead_input_.reserve(targets * hidden_);
  std::fill_n(drows, targets * hidden_, 0.0F);
  kernels_.rms_norm_backward({targets, hidden_, head_input_.data(), parameters + layout_.norm,
                              head_inverse_rms_.data(), dhead_normed_.data(), drows,
                              gradients + layout_.norm});
  float* dx = dx_.reserve(batch.size() * hidden_);
  std::fill_n(dx, batch.size() * hidden_, 0.0F);
  for (std::int64_t i = 0; i < targets; ++i) {
    std::copy_n(drows + i * hidden_, hidden_,
                dx + batch.rows[static_cast<std::size_t>(i)] * hidden_);
  }
}

// dx_ on entry: gradient of the layer's output; on return: of s.middle.
void Decoder::backward_mlp(const float* parameters, const LayerOffsets& at, long tokens,
                           LayerState& s, float* gradients) {
  float* dx = dx_.data();
  kernels_.multiply(linear_weight_gradient(tokens, inner_, hidden_, dx, s.activated.data(),
                                           gradients + at.down_proj));
  kernels_.multiply(linear_input_gradient(tokens, inner_, hidden_, dx, parameters + at.down_proj,
                                          dactivated_.data()));
  kernels_.swiglu_backward(
      {tokens, inner_, s.gate_up.data(), dactivated_.data(), dgate_up_.data()});
  kernels_.multiply(linear_weight_gradient(tokens, hidden_, 2 * inner_, dgate_up_.data(),
                                           s.mlp_input.data(), gradients + at.gate_up_proj));
  kernels_.multiply(linear_input_gradient(tokens, hidden_, 2 * inner_, dgate_up_.data(),
                                          parameters + at.gate_up_proj, dnormed_.data()));
  kernels_.rms_norm_backward({tokens, hidden_, s.middle.data(),
                              parameters + at.post_attention_layernorm, s.middle_inverse_rms.data(),
                              dnormed_.data(), dx, gradients + at.post_attention_layernorm});
}

// dx_ on entry: gradient of s.middle; on return: of s.input.
void Decoder::backward_attention(const float* parameters, const LayerOffsets& at,
                                 const PackedBatch& batch, LayerState& s, float* gradients) {
  const long tokens = batch.size();
  float* dx = dx_.data();
  kernels_.multiply(linear_weight_gradient(tokens, query_, hidden_, dx, s.attention.data(),
                                           gradients + at.o_proj));
  kernels_.multiply(linear_input_gradient(tokens, query_, hidden_, dx, parameters + at.o_proj,
                                          dattention_.data()));
  for (std::size_t i = 0; i + 1 < batch.starts.size(); ++i) {
    kernels_.attention_backward({attention_of(s, batch, i),
                                 dattention_.data() + batch.starts[i] * query_,
                                 dqkv_.data() + batch.starts[i] * qkv_});
  }
  rotate(dqkv_.data(), batch, /*backward=*/true);
  kernels_.multiply(linear_weight_gradient(tokens, hidden_, qkv_, dqkv_.data(),
                                           s.attention_input.data(), gradients + at.qkv_proj));
  kernels_.multiply(linear_input_gradient(tokens, hidden_, qkv_, dqkv_.data(),
                                          parameters + at.qkv_proj, dnormed_.data()));
  kernels_.rms_norm_backward({tokens, hidden_, s.input.data(), parameters + at.input_layernorm,
                              s.input_inverse_rms.data(), dnormed_.data(), dx,
                              gradients + at.input_layernorm});
}

double Decoder::add_gradients(const float* parameters, const PackedBatch& batch, float scale,
                              float* gradients) {
  forward(parameters, batch, /*keep_layers=*/true);
  gather_targets(parameters, batch);
  const double loss = head(parameters, batch, scale, gradients);
  scatter_targets(parameters, batch, gradients);
  const std::int64_t tokens = batch.size();
  dnormed_.reserve(tokens * hidden_);
  dactivated_.reserve(tokens * inner_);
  dgate_up_.reserve(tokens * 2 * inner_);
  dattention_.reserve(tokens * query_);
  dqkv_.reserve(tokens * qkv_);
  for (std::size_t i = layout_.layers.size(); i-- > 0;) {
    backward_mlp(parameters, layout_.layers[i], tokens, layers_[i], gradients);
    backward_attention(parameters, layout_.layers[i], batch, layers_[i], gradients);
  }
  float* dembeddings = gradients + layout_.embed_tokens;
  for (std::int64_t i = 0; i < tokens; ++i) {
    kernels_.add(dembeddings + batch.tokens[static_cast<std::size_t>(i)] * hidden_,
                 dx_.data() + i * hidden_, hidden_);
  }
  return loss;
}

void Decoder::logprobs(const float* parameters, const PackedBatch& batch, float* logprobs) {
  forward(parameters, batch, /*keep_layers=*/false);
  gather_targets(parameters, batch);
  (void)head(parameters, batch, /*scale=*/0, /*gradients=*/nullptr);
  std::copy_n(logprobs_.data(), batch.target_count(), logprobs);
}

void Decoder::logits(const float* parameters, const PackedBatch& batch, float* logits) {
  forward(parameters, batch, /*keep_layers=*/false);
  const long tokens = batch.size();
  float* normed = head_normed_.reserve(tokens * hidden_);
  kernels_.rms_norm({tokens, hidden_, static_cast<float>(config_.rms_norm_eps), last_.data(),
                     parameters + layout_.norm, normed, head_inverse_rms_.reserve(tokens)});
  kernels_.multiply(
      linear(tokens, hidden_, config_.vocab_size, normed, parameters + layout_.lm_head, logits));
}

}  // namespace tapir::student
