// Forward passes with a cache: a prompt at once, then a token of many rows at a time. No torch
// here.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "student/config.h"
#include "student/decode_kernels.h"
#include "student/decoder.h"
#include "student/kv_cache.h"
#include "student/parameters.h"

namespace tapir::student {

// A student's matrices in the form that decode_kernels.h works on (a second copy of the weights),
// and the tables of the rotary positions. Immutable; shared by all workers. `parameters` must live
// as long.
class DecodeWeights {
 public:
  DecodeWeights(const ModelConfig& config, const ParameterLayout& layout, const float* parameters,
                const Kernels& kernels = student::kernels());

  struct Layer {
    const float* input_layernorm;
    const float* post_attention_layernorm;
    const float* qkv_proj;  // packed, as the others
    const float* o_proj;
    const float* gate_up_proj;
    const float* down_proj;
  };

  const ModelConfig config;
  const Kernels& kernels;
  const DecodeKernels& decode;
  const float* embed_tokens;  // [vocab, hidden]
  const float* norm;          // [hidden]
  const float* lm_head;       // packed
  std::vector<Layer> layers;
  std::vector<float> cosines;  // [max_position_embeddings, head_dim / 2]
  std::vector<float> sines;

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
  void multiply(std::int64_t rows, const float* x, std::int64_t in, const float* packed,
                std::int64_t out, float* y, bool accumulate);

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
  FloatBuffer scratch_;
};

}  // namespace tapir::student
