// Forward and backward pass of the decoder over packed sequences, on the CPU in fp32, by
// hand-written gradients. One Decoder is one worker's buffers: use it from one thread at a time. No
// torch here.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "student/config.h"
#include "student/float_buffer.h"
#include "student/kernels.h"
#include "student/parameters.h"
#include "student/qk_norm.h"
#include "student/rotary.h"

namespace tapir::student {

// Sequences one after the other, without padding. Each attends to itself only and counts its
// positions from 0.
struct PackedBatch {
  std::vector<std::int32_t> tokens;     // [tokens]
  std::vector<std::int32_t> positions;  // [tokens]
  std::vector<std::int64_t> starts;     // first token of each sequence, then the number of tokens
  std::vector<std::int64_t> rows;  // tokens after which a supervised token comes, rising: [targets]
  std::vector<std::int32_t> targets;  // that token: [targets]

  std::int64_t size() const { return static_cast<std::int64_t>(tokens.size()); }
  std::int64_t target_count() const { return static_cast<std::int64_t>(targets.size()); }
};

// Appends a sequence. loss has one entry per token: 1 where the token is to be predicted (never the
// first).
void append_sequence(PackedBatch& batch, std::span<const std::int32_t> tokens,
                     std::span<const std::uint8_t> loss);

class Decoder {
 public:
  explicit Decoder(const ModelConfig& config, const Kernels& kernels = student::kernels());

  // Log-probability of every target, in order: logprobs [targets].
  void logprobs(const float* parameters, const PackedBatch& batch, float* logprobs);

  // Adds to `gradients` (laid out like the parameters) the gradient of scale * sum(-logprobs), and
  // returns that sum without the scale.
  double add_gradients(const float* parameters, const PackedBatch& batch, float scale,
                       float* gradients);

  // logits [tokens, vocab] after every token.
  void logits(const float* parameters, const PackedBatch& batch, float* logits);

 private:
  // What the backward pass needs of a layer. What comes after the attention of the last layer is
  // computed only for the rows whose output is wanted: there, "rows" are those; in the other layers
  // they are all tokens.
  struct LayerState {
    FloatBuffer input;               // [tokens, hidden]
    FloatBuffer input_inverse_rms;   // [tokens]
    FloatBuffer attention_input;     // [tokens, hidden]
    FloatBuffer qkv;                 // [tokens, (heads + 2 kv heads) * head_dim], rotated
    FloatBuffer unnormed;            // [tokens, (heads + kv heads) * head_dim], with qk_norm
    FloatBuffer qk_inverse_rms;      // [tokens, heads + kv heads], likewise
    FloatBuffer attention;           // [tokens, heads * head_dim]
    FloatBuffer log_sum_exp;         // [tokens, heads]
    FloatBuffer middle;              // [rows, hidden]
    FloatBuffer middle_inverse_rms;  // [rows]
    FloatBuffer mlp_input;           // [rows, hidden]
    FloatBuffer gate_up;             // [rows, 2 * intermediate]
    FloatBuffer activated;           // [rows, intermediate]
  };

  struct Projection {
    const float* dx;         // [rows, hidden]: gradient of LayerState::middle
    const float* attention;  // [rows, heads * head_dim]
    float* dattention;       // [rows, heads * head_dim], overwritten
  };
  using Rows = std::span<const std::int64_t>;

  void prepare(const PackedBatch& batch, bool keep_layers);
  void forward(const float* parameters, const PackedBatch& batch, Rows rows, bool keep_layers);
  void attend(const float* parameters, const LayerOffsets& at, const PackedBatch& batch,
              LayerState& s);
  void project(const float* parameters, const LayerOffsets& at, long rows, const float* attention,
               LayerState& s);
  void forward_mlp(const float* parameters, const LayerOffsets& at, long rows, LayerState& s,
                   float* out);
  void normalise_last(const float* parameters, long rows);
  double head(const float* parameters, const PackedBatch& batch, float scale, float* gradients);
  void backward_norm(const float* parameters, long rows, float* gradients);
  void backward_mlp(const float* parameters, const LayerOffsets& at, long rows, LayerState& s,
                    float* dx, float* gradients);
  void backward_project(const float* parameters, const LayerOffsets& at, long rows,
                        const Projection& p, float* gradients);
  void backward_attend(const float* parameters, const LayerOffsets& at, const PackedBatch& batch,
                       LayerState& s, float* gradients);
  void backward_last(const float* parameters, const PackedBatch& batch, float* gradients);
  void backward(const float* parameters, const PackedBatch& batch, float* gradients);
  void rotate(float* qkv, const PackedBatch& batch, bool backward);
  QkNorm qk_norm_of(const float* parameters, const LayerOffsets& at, long tokens,
                    const LayerState& s) const;
  Attention attention_of(const LayerState& s, const LayerOffsets& at, const PackedBatch& batch,
                         std::size_t sequence) const;
  std::size_t states(bool keep_layers) const;
  LayerState& state(std::size_t layer, bool keep_layers) {
    return layers_[keep_layers ? layer : layer % 2];
  }

  const ModelConfig config_;
  const ParameterLayout layout_;
  const Kernels& kernels_;
  const long hidden_, inner_, query_, qkv_;

  std::vector<LayerState> layers_;
  FloatBuffer kept_attention_;    // [rows, heads * head_dim]: rows of the last layer's attention
  FloatBuffer last_;              // [rows, hidden]: output of the last layer
  FloatBuffer last_inverse_rms_;  // [rows]
  FloatBuffer normed_;            // [rows, hidden]: what the head sees
  FloatBuffer logits_;            // [chunk of targets, vocab]
  FloatBuffer logprobs_;          // [targets]
  FloatBuffer dkept_;       // [targets, hidden]: gradient of the residual stream in the last layer
  FloatBuffer dx_;          // [tokens, hidden]: the same in the others
  FloatBuffer dnormed_;     // [tokens, hidden]
  FloatBuffer dactivated_;  // [tokens, intermediate]
  FloatBuffer dgate_up_;    // [tokens, 2 * intermediate]
  FloatBuffer dkept_attention_;  // [targets, heads * head_dim]
  FloatBuffer dattention_;       // [tokens, heads * head_dim]
  FloatBuffer dqkv_;             // as qkv
  FloatBuffer scratch_;          // attention_scratch()
  FloatBuffer qk_scratch_;       // [(heads + kv heads) * head_dim]
  RotaryTable rotary_;
};

}  // namespace tapir::student
