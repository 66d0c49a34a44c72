#include "student/torch_decoder.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "student/torch_dropout.h"
#include "student/torch_memory.h"

namespace tapir::student {
namespace {

// Views of a flat array, as leaves of the autograd graph when there is a gradient to add to.
class Viewer {
 public:
  Viewer(const at::Tensor& values, const at::Tensor& gradient)
      : values_(values), gradient_(gradient) {}

  at::Tensor view(std::int64_t offset, at::IntArrayRef shape) const {
    if (offset == kNoParameter) return {};
    at::Tensor leaf = of(values_, offset, shape).detach();
    if (!gradient_.defined()) return leaf;
    leaf.requires_grad_();
    leaf.mutable_grad() = of(gradient_, offset, shape);
    return leaf;
  }

 private:
  static at::Tensor of(const at::Tensor& flat, std::int64_t offset, at::IntArrayRef shape) {
    std::int64_t size = 1;
    for (const std::int64_t extent : shape) size *= extent;
    return flat.narrow(0, offset, size).view(shape);
  }

  const at::Tensor& values_;
  const at::Tensor& gradient_;
};

// The pairs beside the matrix at offset `weight`.
std::vector<TorchWeights::LowRank> view_pairs(const TorchAdapter& adapter, std::int64_t weight) {
  std::vector<TorchWeights::LowRank> views;
  if (adapter.layout == nullptr) return views;
  const Viewer viewer(adapter.values, adapter.gradient);
  const std::vector<LowRankPair>& pairs = adapter.layout->pairs;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const LowRankPair& pair = pairs[i];
    if (pair.group != weight) continue;
    views.push_back({viewer.view(pair.a, {pair.rank, pair.in}),
                     viewer.view(pair.b, {pair.out, pair.rank}), pair.column,
                     static_cast<double>(pair.scale), i});
  }
  return views;
}

// Halves of each head turned by the positions' angles: x [tokens, heads, head_dim].
at::Tensor rotate(const at::Tensor& x, const TorchBatch& batch) {
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor a = x.narrow(-1, 0, half);
  const at::Tensor b = x.narrow(-1, half, half);
  return at::cat({a * batch.cosines - b * batch.sines, b * batch.cosines + a * batch.sines}, -1);
}

}  // namespace

at::Tensor upload_indices(std::span<const std::int32_t> values, at::Device device,
                          at::ScalarType type) {
  return upload_copy(values, at::kInt, at::TensorOptions().device(device).dtype(type));
}

TorchWeights view_weights(const ModelConfig& config, const at::Tensor& weights,
                          const at::Tensor& gradient, const TorchAdapter& adapter) {
  const ParameterLayout layout = make_layout(config);
  check(weights.dim() == 1 && weights.size(0) == layout.size, "the weights fit their layout");
  const Viewer viewer(weights, gradient);
  const auto projection = [&](const Linear& linear) {
    return TorchWeights::Projection{viewer.view(linear.weight, {linear.out, linear.in}),
                                    viewer.view(linear.bias, {linear.out}),
                                    view_pairs(adapter, linear.weight)};
  };
  const std::int64_t hidden = config.hidden_size;
  TorchWeights views;
  views.embed_tokens = viewer.view(layout.embed_tokens, {config.vocab_size, hidden});
  views.norm = viewer.view(layout.norm, {hidden});
  // A tied head is the same leaf, so that both gradients meet in it.
  const bool tied = layout.lm_head.weight == layout.embed_tokens;
  views.lm_head =
      tied ? TorchWeights::Projection{views.embed_tokens, {}, {}} : projection(layout.lm_head);
  for (const LayerOffsets& at : layout.layers) {
    views.layers.push_back({viewer.view(at.input_layernorm, {hidden}), projection(at.qkv_proj),
                            viewer.view(at.q_norm, {config.head_dim}),
                            viewer.view(at.k_norm, {config.head_dim}), projection(at.o_proj),
                            viewer.view(at.post_attention_layernorm, {hidden}),
                            projection(at.gate_up_proj), projection(at.down_proj), at.window});
  }
  return views;
}

TorchDecoder::TorchDecoder(const ModelConfig& config, TorchWeights weights,
                           const TorchDecoderOptions& options)
    : config_(config), weights_(std::move(weights)), options_(options), rotary_(config) {}

TorchBatch TorchDecoder::upload(std::span<const std::int32_t> tokens,
                                std::span<const std::int32_t> positions) {
  for (const std::int32_t token : tokens)
    check(token >= 0 && token < config_.vocab_size, "token ids lie within the vocabulary");
  const std::int64_t needed = *std::max_element(positions.begin(), positions.end()) + 1;
  if (needed > rotary_positions_) {
    rotary_positions_ = std::max(needed, 2 * rotary_positions_);
    rotary_.extend(rotary_positions_);
    const std::int64_t half = config_.head_dim / 2;
    const auto size = static_cast<std::size_t>(rotary_positions_ * half);
    const auto table = [&](const float* values) {
      return upload_copy<float>({values, size}, at::kFloat,
                                at::TensorOptions().device(device()).dtype(options_.compute))
          .view({rotary_positions_, 1, half});
    };
    cosines_ = table(rotary_.cosines());
    sines_ = table(rotary_.sines());
  }
  TorchBatch batch;
  batch.tokens = upload_indices(tokens, device());
  batch.positions = upload_indices(positions, device());
  batch.cosines = cosines_.index_select(0, batch.positions);
  batch.sines = sines_.index_select(0, batch.positions);
  return batch;
}

TorchBatch TorchDecoder::upload(const PackedBatch& packed) {
  check(packed.size() > 0, "a batch of at least one token");
  TorchBatch batch = upload(packed.tokens, packed.positions);
  const auto on_device = at::TensorOptions().device(device());
  batch.rows = upload_copy<std::int64_t>(packed.rows, at::kLong, on_device);
  batch.targets = upload_indices(packed.targets, device());
  batch.sequences.starts = packed.starts;
  batch.sequences.device_starts =
      upload_copy<std::int64_t>(packed.starts, at::kLong, on_device.dtype(at::kInt));
  if (!packed.dropout_keys.empty())
    batch.dropout_keys = upload_copy<DropoutKey>(packed.dropout_keys, at::kInt, on_device);
  for (std::size_t i = 1; i < packed.starts.size(); ++i) {
    batch.sequences.longest =
        std::max(batch.sequences.longest, packed.starts[i] - packed.starts[i - 1]);
  }
  return batch;
}

TorchDecoder::Attend TorchDecoder::packed_attention(const TorchWeights& weights,
                                                    const Sequences& sequences) {
  return [&weights, &sequences](std::size_t layer, const at::Tensor& query, const at::Tensor& key,
                                const at::Tensor& value) {
    return attend_packed(query, key, value, sequences, weights.layers[layer].window);
  };
}

// x [rows, in] to [rows, out].
at::Tensor TorchDecoder::project(const at::Tensor& x, const TorchWeights::Projection& by,
                                 const at::Tensor& keys) const {
  std::optional<at::Tensor> bias;
  if (by.bias.defined()) bias = to_compute(by.bias);
  const at::Tensor y = at::linear(x, to_compute(by.weight), bias);
  return by.pairs.empty() ? y : y + low_rank(x, by, keys);
}

// What the pairs add: [rows, out], zeros between them.
at::Tensor TorchDecoder::low_rank(const at::Tensor& x, const TorchWeights::Projection& by,
                                  const at::Tensor& keys) const {
  const bool drops = keys.defined() && options_.lora_dropout > 0;
  std::vector<at::Tensor> parts;
  std::int64_t end = 0;
  const auto fill_up_to = [&](std::int64_t column) {
    if (column > end) parts.push_back(at::zeros({x.size(0), column - end}, x.options()));
  };
  for (const TorchWeights::LowRank& pair : by.pairs) {
    fill_up_to(pair.column);
    const at::Tensor input = drops ? drop_elements(x, keys, pair.number, options_.lora_dropout) : x;
    const at::Tensor low = at::linear(input, to_compute(pair.a)) * pair.scale;
    parts.push_back(at::linear(low, to_compute(pair.b)));
    end = pair.column + pair.b.size(0);
  }
  fill_up_to(by.weight.size(0));
  return parts.size() == 1 ? parts.front() : at::cat(parts, 1);
}

// Over the last dimension, computed in fp32.
at::Tensor TorchDecoder::normalise(const at::Tensor& x, const at::Tensor& weight) const {
  return at::rms_norm(x, {x.size(-1)}, to_compute(weight), config_.rms_norm_eps);
}

at::Tensor TorchDecoder::embed(const TorchBatch& batch) const {
  return to_compute(at::embedding(weights_.embed_tokens, batch.tokens));
}

// x [tokens, hidden] to the like; the last layer's holds the wanted rows only.
at::Tensor TorchDecoder::layer(std::size_t index, at::Tensor x, const TorchBatch& batch,
                               const Attend& attend) const {
  const TorchWeights::Layer& w = weights_.layers[index];
  const std::int64_t heads = config_.num_attention_heads;
  const std::int64_t kv_heads = config_.num_key_value_heads;
  at::Tensor keys = batch.dropout_keys;
  const at::Tensor qkv = project(normalise(x, w.input_layernorm), w.qkv_proj, keys)
                             .view({x.size(0), heads + 2 * kv_heads, config_.head_dim});
  at::Tensor turning = qkv.narrow(1, 0, heads + kv_heads);
  if (w.q_norm.defined()) {
    turning = at::cat({normalise(qkv.narrow(1, 0, heads), w.q_norm),
                       normalise(qkv.narrow(1, heads, kv_heads), w.k_norm)},
                      1);
  }
  turning = rotate(turning, batch);
  at::Tensor attended =
      attend(index, turning.narrow(1, 0, heads), turning.narrow(1, heads, kv_heads),
             qkv.narrow(1, heads + kv_heads, kv_heads))
          .flatten(1);  // [tokens, heads * head_dim]
  if (index + 1 == weights_.layers.size() && batch.rows.defined()) {
    attended = attended.index_select(0, batch.rows);
    x = x.index_select(0, batch.rows);
    if (keys.defined()) keys = keys.index_select(0, batch.rows);
  }
  x = x + project(attended, w.o_proj, keys);
  const at::Tensor gate_up =
      project(normalise(x, w.post_attention_layernorm), w.gate_up_proj, keys);
  const std::int64_t inner = config_.intermediate_size;
  const at::Tensor activated =
      at::silu(gate_up.narrow(1, 0, inner)) * gate_up.narrow(1, inner, inner);
  return x + project(activated, w.down_proj, keys);
}

at::Tensor TorchDecoder::forward(const TorchBatch& batch, const Attend& attend) const {
  at::Tensor x = embed(batch);
  for (std::size_t i = 0; i < weights_.layers.size(); ++i) x = layer(i, x, batch, attend);
  return normalise(x, weights_.norm);
}

at::Tensor TorchDecoder::logits(const TorchBatch& batch, const Attend& attend) {
  const at::NoGradGuard no_gradients;
  return project(forward(batch, attend), weights_.lm_head).to(at::kFloat);
}

std::int64_t TorchDecoder::chunk_rows() const {
  return std::max<std::int64_t>(1, options_.logit_elements / config_.vocab_size);
}

at::Tensor TorchDecoder::logprobs(const TorchBatch& batch) {
  const at::NoGradGuard no_gradients;
  const at::Tensor normed = forward(batch, packed(batch));
  std::vector<at::Tensor> parts;
  for (std::int64_t first = 0; first < normed.size(0); first += chunk_rows()) {
    const std::int64_t rows = std::min(chunk_rows(), normed.size(0) - first);
    const at::Tensor logits = project(normed.narrow(0, first, rows), weights_.lm_head);
    parts.push_back(at::log_softmax(logits, -1, at::kFloat)
                        .gather(1, batch.targets.narrow(0, first, rows).unsqueeze(1))
                        .squeeze(1));
  }
  return at::cat(parts);
}

// Chunk by chunk, each with its own backward pass: [targets, vocab] never exists whole.
TorchDecoder::HeadGradient TorchDecoder::head_gradient(const at::Tensor& normed,
                                                       const TorchBatch& batch,
                                                       double scale) const {
  at::Tensor sum = at::zeros({}, normed.options().dtype(at::kDouble));
  std::vector<at::Tensor> gradients;
  for (std::int64_t first = 0; first < normed.size(0); first += chunk_rows()) {
    const std::int64_t rows = std::min(chunk_rows(), normed.size(0) - first);
    const at::Tensor x = normed.narrow(0, first, rows).detach().requires_grad_();
    const at::Tensor loss = at::cross_entropy_loss(project(x, weights_.lm_head).to(at::kFloat),
                                                   batch.targets.narrow(0, first, rows),
                                                   /*weight=*/std::nullopt, at::Reduction::Sum);
    (loss * scale).backward();
    sum += loss.detach();
    gradients.push_back(x.grad());
  }
  return {sum, at::cat(gradients)};
}

at::Tensor TorchDecoder::add_gradients(const TorchBatch& batch, double scale) {
  check(batch.targets.defined() && batch.targets.size(0) > 0, "a batch with targets");
  if (options_.gradient_checkpointing) return add_gradients_by_layer(batch, scale);
  const at::Tensor normed = forward(batch, packed(batch));
  const HeadGradient head = head_gradient(normed, batch, scale);
  normed.backward(head.input);
  return head.loss;
}

// The forward pass without a graph; then each layer again, from its input, with one.
at::Tensor TorchDecoder::add_gradients_by_layer(const TorchBatch& batch, double scale) {
  const Attend attend = packed(batch);
  std::vector<at::Tensor> inputs;
  {
    const at::NoGradGuard no_gradients;
    inputs.push_back(embed(batch));
    for (std::size_t i = 0; i < weights_.layers.size(); ++i)
      inputs.push_back(layer(i, inputs.back(), batch, attend));
  }
  at::Tensor leaf = std::exchange(inputs.back(), {}).requires_grad_();
  const at::Tensor normed = normalise(leaf, weights_.norm);
  const HeadGradient head = head_gradient(normed, batch, scale);
  normed.backward(head.input);
  for (std::size_t i = weights_.layers.size(); i-- > 0;) {
    const at::Tensor gradient = leaf.grad();
    leaf = std::exchange(inputs[i], {}).requires_grad_();
    layer(i, leaf, batch, attend).backward(gradient);
  }
  if (weights_.embed_tokens.requires_grad()) embed(batch).backward(leaf.grad());
  return head.loss;
}

}  // namespace tapir::student
