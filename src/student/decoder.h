// Forward and backward pass of the decoder over packed sequences, on the CPU in fp32, by
// hand-written gradients. One Decoder is one worker's buffers: use it from one thread at a time. No
// torch here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "student/adapter_pass.h"
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
  std::vector<std::int32_t> targets;     // that token: [targets]
  std::vector<DropoutKey> dropout_keys;  // [tokens]; empty: no dropout

  std::int64_t size() const { return static_cast<std::int64_t>(tokens.size()); }
  std::int64_t target_count() const { return static_cast<std::int64_t>(targets.size()); }
};

// Appends a sequence. loss has one entry per token: 1 where the token is to be predicted (never the
// first).
void append_sequence(PackedBatch& batch, std::span<const std::int32_t> tokens,
                     std::span<const std::uint8_t> loss);

// The keys of the sequence appended last, from its row's own. Of all sequences of a batch or of
// none.
void append_dropout_keys(PackedBatch& batch, std::uint64_t row);

// The extents of a pass that decide its memory.
struct PassSize {
  std::int64_t tokens = 0;
  std::int64_t targets = 0;
  std::int64_t longest = 0;  // tokens of the longest sequence
};

struct DecoderOptions {
  // The base is frozen and this is learnt: set_adapter() comes before every pass. Outlives the
  // decoder.
  const AdapterLayout* adapter = nullptr;
  double lora_dropout = 0;              // in add_gradients() only
  bool gradient_checkpointing = false;  // the same bits with less memory and more work
  bool bf16 = false;                    // products with operands in bfloat16, sums in fp32
  std::int64_t logits_at_once = 0;      // rows of logits that exist at a time; 0: chosen
};

// Bytes of a decoder's buffers after add_gradients() of passes up to this size.
std::int64_t training_bytes(const ModelConfig& config, const DecoderOptions& options,
                            const PassSize& pass);

class Decoder {
 public:
  explicit Decoder(const ModelConfig& config, const Kernels& kernels = student::kernels(),
                   const DecoderOptions& options = {});

  // The adapter's values [adapter->values.size] for the passes that follow; without an adapter in
  // the options it does nothing.
  void set_adapter(const float* values) { adapter_values_ = values; }

  // Log-probability of every target, in order: logprobs [targets].
  void logprobs(const float* parameters, const PackedBatch& batch, float* logprobs);

  // Adds to `gradients` (laid out like the parameters, or like the adapter's values) the gradient
  // of scale * sum(-logprobs), and returns that sum without the scale.
  double add_gradients(const float* parameters, const PackedBatch& batch, float scale,
                       float* gradients);

  // logits [tokens, vocab] after every token.
  void logits(const float* parameters, const PackedBatch& batch, float* logits);

 private:
  // What the backward pass needs of a layer. What comes after the attention of the last layer is
  // computed only for the rows whose output is wanted: there, "rows" are those; in the other layers
  // they are all tokens.
  struct LayerState {
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

  using Rows = std::span<const std::int64_t>;

  // How much of the layers a pass keeps: the states of all, the inputs of all, or neither.
  enum class Keep { states, inputs, nothing };

  void prepare(const PackedBatch& batch, Keep keep);
  void reserve_state(LayerState& s, std::int64_t tokens) const;
  void begin_adapter(const PackedBatch& batch, float* gradients);
  void forward(const float* parameters, const PackedBatch& batch, Rows rows, Keep keep);
  void embed(const float* parameters, const PackedBatch& batch, float* out) const;
  // The layer's linear products, with the adapter's share. rows: the tokens that x holds, empty:
  // all.
  void apply(const Linear& layer, const float* parameters, const LinearForward& pass,
             Rows rows = {});
  void apply_backward(const Linear& layer, const float* parameters, const LinearBackward& pass,
                      float* gradients, Rows rows = {});
  void attend(const float* parameters, const LayerOffsets& at, const PackedBatch& batch,
              const float* input, LayerState& s);
  // s.middle += o_proj(attention).
  void project(const float* parameters, const LayerOffsets& at, const float* attention,
               LayerState& s, long rows, Rows which);
  void activate(const float* parameters, const LayerOffsets& at, LayerState& s, long rows,
                Rows which);
  void finish(const float* parameters, const LayerOffsets& at, LayerState& s, float* out, long rows,
              Rows which);
  void recompute(const float* parameters, std::size_t layer, const PackedBatch& batch);
  void normalise_last(const float* parameters, long rows);
  double head(const float* parameters, const PackedBatch& batch, float scale, float* gradients,
              bool wants_gradients);
  void backward_norm(const float* parameters, long rows, float* gradients);
  void backward_mlp(const float* parameters, const LayerOffsets& at, LayerState& s, float* dx,
                    float* gradients, long rows, Rows which);
  void backward_attend(const float* parameters, std::size_t layer, const PackedBatch& batch,
                       float* gradients);
  void backward_last(const float* parameters, const PackedBatch& batch, float* gradients);
  void backward(const float* parameters, const PackedBatch& batch, float* gradients);
  void rotate(float* qkv, const PackedBatch& batch, bool backward);
  // Where the gradient of a norm goes: nowhere when it is frozen.
  float* norm_gradient(float* gradients, std::int64_t offset);
  QkNorm qk_norm_of(const float* parameters, const LayerOffsets& at, long tokens,
                    const LayerState& s) const;
  Attention attention_of(const LayerState& s, const LayerOffsets& at, const PackedBatch& batch,
                         std::size_t sequence) const;
  LayerState& state(std::size_t layer) { return states_[layer % states_.size()]; }
  float* input(std::size_t layer) { return inputs_[layer % inputs_.size()].data(); }

  const ModelConfig config_;
  const ParameterLayout layout_;
  const DecoderOptions options_;
  const Kernels kernels_;  // multiply() in the precision of the options
  const long hidden_, inner_, query_, qkv_;

  std::optional<AdapterPass> adapter_;
  const float* adapter_values_ = nullptr;
  std::vector<FloatBuffer> inputs_;  // [tokens, hidden] of each layer, or of two in turn
  std::vector<LayerState> states_;   // of each layer, or one for all
  FloatBuffer kept_attention_;       // [rows, heads * head_dim]: rows of the last layer's attention
  FloatBuffer last_;                 // [rows, hidden]: output of the last layer
  FloatBuffer last_inverse_rms_;     // [rows]
  FloatBuffer normed_;               // [rows, hidden]: what the head sees
  FloatBuffer logits_;               // [chunk of targets, vocab]
  FloatBuffer logprobs_;             // [targets]
  FloatBuffer dkept_;       // [targets, hidden]: gradient of the residual stream in the last layer
  FloatBuffer dx_;          // [tokens, hidden]: the same in the others
  FloatBuffer dnormed_;     // [tokens, hidden]
  FloatBuffer dactivated_;  // [tokens, intermediate]
  FloatBuffer dgate_up_;    // [tokens, 2 * intermediate]
  FloatBuffer dkept_attention_;  // [targets, heads * head_dim]
  FloatBuffer dattention_;       // [tokens, heads * head_dim]
  FloatBuffer dqkv_;             // as qkv
  FloatBuffer frozen_;           // [hidden or head_dim]: gradients that nobody wants
  FloatBuffer scratch_;          // attention_scratch()
  FloatBuffer qk_scratch_;       // [(heads + kv heads) * head_dim]
  RotaryTable rotary_;
};

}  // namespace tapir::student
