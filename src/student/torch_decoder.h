// The decoder in ATen operators, for any device of torch: the same model as decoder.h (all
// families, packed batches), its gradients by autograd.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "student/adapter.h"
#include "student/config.h"
#include "student/decoder.h"
#include "student/parameters.h"
#include "student/rotary.h"
#include "student/torch_attention.h"
#include "student/torch_plan.h"

namespace tapir::student {

// A student's weights as views of one flat array on a device, laid out as ParameterLayout says.
struct TorchWeights {
  struct LowRank {        // a LowRankPair
    at::Tensor a;         // [rank, in]
    at::Tensor b;         // [width, rank]
    std::int64_t column;  // of the projection's outputs: where the pair's begin
    double scale;
    std::size_t number;  // in the adapter's layout
  };
  struct Projection {
    at::Tensor weight;           // [out, in]
    at::Tensor bias;             // [out]; undefined: none
    std::vector<LowRank> pairs;  // of the adapter, rising by column
  };
  struct Layer {
    at::Tensor input_layernorm;  // [hidden]
    Projection qkv_proj;
    at::Tensor q_norm;  // [head_dim]; undefined: none, as k_norm
    at::Tensor k_norm;
    Projection o_proj;
    at::Tensor post_attention_layernorm;
    Projection gate_up_proj;
    Projection down_proj;
    std::int64_t window = 0;  // positions that a token sees, its own included; 0: all
  };
  at::Tensor embed_tokens;  // [vocab, hidden]
  at::Tensor norm;          // [hidden]
  Projection lm_head;
  std::vector<Layer> layers;
};

// An adapter beside frozen weights; its values and their gradient are flat and fp32.
struct TorchAdapter {
  const AdapterLayout* layout = nullptr;  // null: none
  at::Tensor values;
  at::Tensor gradient;
};

// With `gradient` (flat, like the weights) every backward pass adds to it. With an adapter the
// weights have none, and the adapter's gradient is added to.
TorchWeights view_weights(const ModelConfig& config, const at::Tensor& weights,
                          const at::Tensor& gradient = {}, const TorchAdapter& adapter = {});

struct TorchDecoderOptions {
  at::ScalarType compute = at::kFloat;  // of products, norms and the residual stream; the loss and
                                        // the gradients of the weights are fp32 always
  double lora_dropout = 0;              // in add_gradients() of batches with dropout keys
  bool gradient_checkpointing = false;  // keep each layer's input only, compute the rest twice
  std::int64_t logit_elements = kTorchLogitElements;  // [chunk of targets, vocab] at a time
};

// A PackedBatch on the device.
struct TorchBatch {
  at::Tensor tokens;     // [tokens] int64
  at::Tensor positions;  // [tokens] int64
  at::Tensor cosines;    // [tokens, 1, head_dim / 2]
  at::Tensor sines;
  at::Tensor rows;          // [rows] int64: tokens whose output is wanted
  at::Tensor targets;       // [rows] int64, or undefined
  at::Tensor dropout_keys;  // [tokens] int32, or undefined: no dropout
  Sequences sequences;
};

// Use it from one thread at a time.
class TorchDecoder {
 public:
  // Attention of a layer over rotated heads: [tokens, heads, head_dim] three times to the like of
  // the first.
  using Attend = std::function<at::Tensor(std::size_t layer, const at::Tensor& query,
                                          const at::Tensor& key, const at::Tensor& value)>;

  TorchDecoder(const ModelConfig& config, TorchWeights weights, const TorchDecoderOptions& options);

  at::Device device() const { return weights_.norm.device(); }
  const ModelConfig& config() const { return config_; }

  TorchBatch upload(const PackedBatch& batch);
  // Single tokens at positions of their own, all of them wanted.
  TorchBatch upload(std::span<const std::int32_t> tokens, std::span<const std::int32_t> positions);

  // Logits [rows, vocab] in fp32 behind the wanted rows. No gradients.
  at::Tensor logits(const TorchBatch& batch, const Attend& attend);
  at::Tensor logits(const TorchBatch& batch) { return logits(batch, packed(batch)); }

  // Log-probabilities [targets] of a batch with targets. No gradients.
  at::Tensor logprobs(const TorchBatch& batch);

  // Adds the gradient of scale * sum(-logprobs) and returns that sum without the scale (a scalar on
  // the device: reading it waits for the device).
  at::Tensor add_gradients(const TorchBatch& batch, double scale);

  static Attend packed_attention(const TorchWeights& weights, const Sequences& sequences);

 private:
  Attend packed(const TorchBatch& batch) const {
    return packed_attention(weights_, batch.sequences);
  }
  at::Tensor to_compute(const at::Tensor& x) const { return x.to(options_.compute); }
  // keys: of x's rows, undefined: no dropout.
  at::Tensor project(const at::Tensor& x, const TorchWeights::Projection& by,
                     const at::Tensor& keys = {}) const;
  at::Tensor low_rank(const at::Tensor& x, const TorchWeights::Projection& by,
                      const at::Tensor& keys) const;
  at::Tensor normalise(const at::Tensor& x, const at::Tensor& weight) const;
  at::Tensor embed(const TorchBatch& batch) const;
  at::Tensor layer(std::size_t index, at::Tensor x, const TorchBatch& batch,
                   const Attend& attend) const;
  // Output of the last layer for batch.rows, normed.
  at::Tensor forward(const TorchBatch& batch, const Attend& attend) const;

  struct HeadGradient {
    at::Tensor loss;   // sum of -logprobs
    at::Tensor input;  // gradient of what the head saw
  };
  HeadGradient head_gradient(const at::Tensor& normed, const TorchBatch& batch, double scale) const;
  at::Tensor add_gradients_by_layer(const TorchBatch& batch, double scale);
  std::int64_t chunk_rows() const;

  const ModelConfig config_;
  const TorchWeights weights_;
  const TorchDecoderOptions options_;
  RotaryTable rotary_;
  std::int64_t rotary_positions_ = 0;
  at::Tensor cosines_;  // [rotary_positions, head_dim / 2] on the device
  at::Tensor sines_;
};

// A copy on the device.
at::Tensor upload_indices(std::span<const std::int32_t> values, at::Device device,
                          at::ScalarType type = at::kLong);

}  // namespace tapir::student
