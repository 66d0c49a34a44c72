// Forward passes with a cache: a prompt at once, then a token of many rows at a time. No torch
// here.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "student/config.h"
#include "student/decode_kernels.h"
#include "student/float_buffer.h"
#include "student/kv_cache.h"
#include "student/parameters.h"
#include "student/rotary.h"

namespace tapir::student {

// A student's matrices in the form that decode_kernels.h works on (a second copy of the weights).
// Immutable; shared by all workers. `parameters` must live as long.
class DecodeWeights {
 public:
  DecodeWeights(const ModelConfig& config, const ParameterLayout& layout, const float* parameters,
                const Kernels& kernels = student::kernels());

  struct Matrix {
    long out, in;
    const float* packed;
    const float* bias;  // [out]; null: none
  };
  struct Layer {
    const float* input_layernorm;
    const float* q_norm;  // [head_dim]; null: none, as k_norm
    const float* k_norm;
    const float* post_attention_layernorm;
    Matrix qkv_proj;
    Matrix o_proj;
    Matrix gate_up_proj;
    Matrix down_proj;
    long window;  // positions that a token sees, its own included; 0: all
  };

  const ModelConfig config;
  const Kernels& kernels;
  const DecodeKernels& decode;
  const float* embed_tokens;  // [vocab, hidden]
  const float* norm;          // [hidden]
  Matrix lm_head;
  std::vector<Layer> layers;

 private:
  FloatBuffer packed_;
};

// One row to take a step with.
struct DecodeRow {
  KvCache* cache;
  std::int32_t token;     // the newest token, not yet in the cache
  std::int32_t position;  // of that token, < cache->capacity()
};

// One worker's buffers: use it from one thread at a time.
class DecodeWorker {
 public:
  explicit DecodeWorker(std::shared_ptr<const DecodeWeights> weights);

  // Fills the cache (reset by the caller, with room) with the prompt. The logits [vocab] behind its
  // last token; they hold until the next call.
  const float* prefill(std::span<const std::int32_t> prompt, KvCache& cache);

  // Takes every row one token further. Logits [rows, vocab]; they hold until the next call. A row's
  // logits have the same bits whichever rows stand beside it.
  const float* step(std::span<const DecodeRow> rows);

 private:
  void reserve(std::int64_t rows);
  void embed(std::int64_t row, std::int32_t token);
  void project_qkv(const DecodeWeights::Layer& layer, std::int64_t rows);
  void finish_layer(const DecodeWeights::Layer& layer, std::int64_t rows);
  const float* head(std::int64_t rows);
  void norm(std::int64_t rows, const float* weight);
  void multiply(const DecodeWeights::Matrix& matrix, std::int64_t rows, const float* x, float* y,
                bool accumulate);

  std::shared_ptr<const DecodeWeights> weights_;
  const ModelConfig& config_;
  const std::int64_t hidden_, inner_, query_, key_value_, qkv_width_;
  std::int64_t reserved_ = 0;
  std::vector<std::int32_t> positions_;
  FloatBuffer x_;            // [rows, hidden]: the residual stream
  FloatBuffer normed_;       // [rows, hidden]
  FloatBuffer inverse_rms_;  // [rows]
  FloatBuffer qkv_;          // [rows, (heads + 2 kv heads) * head_dim]
  FloatBuffer attended_;     // [rows, heads * head_dim]
  FloatBuffer gate_up_;      // [rows, 2 * intermediate]
  FloatBuffer activated_;    // [rows, intermediate]
  FloatBuffer logits_;       // [rows, vocab]
  FloatBuffer log_sum_exp_;  // [rows, heads]: what attention() writes besides
  FloatBuffer unnormed_;     // [rows, (heads + kv heads) * head_dim]: written by the norms of heads
  FloatBuffer qk_inverse_rms_;  // [rows, heads + kv heads], likewise
  FloatBuffer scratch_;
  RotaryTable rotary_;
};

}  // namespace tapir::student
