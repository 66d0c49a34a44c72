// Forward passes with a cache: a prompt at once, then a token of many rows at a time. No torch
// here.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "student/config.h"
#include "student/decode_weights.h"
#include "student/float_buffer.h"
#include "student/kv_cache.h"
#include "student/rotary.h"
#include "student/row_decoder.h"
#include "student/team.h"

namespace tapir::student {

// One row to take a step with.
struct DecodeRow {
  KvCache* cache;
  std::int32_t token;     // the newest token, not yet in the cache
  std::int32_t position;  // of that token: as many as are in the cache
};

// One worker's buffers: use it from one thread at a time. With `threads` above 1 it starts
// threads of its own that share out every step: no bit depends on how many.
class DecodeWorker {
 public:
  explicit DecodeWorker(std::shared_ptr<const DecodeWeights> weights, int threads = 1);

  // How many of its threads share out what comes next. REQUIRES: 1 to `threads`.
  void use_threads(int threads) { team_.set_active(threads); }

  // Fills the cache, from position 0, with the prompt. The logits [vocab] behind its last token;
  // they hold until the next call.
  const float* prefill(std::span<const std::int32_t> prompt, KvCache& cache);

  // Takes every row one token further. Logits [rows, vocab]; they hold until the next call. A row's
  // logits have the same bits whichever rows stand beside it.
  const float* step(std::span<const DecodeRow> rows);

  // Log-probability of every target; the same bits as Decoder::logprobs() of the row alone.
  std::vector<float> score(const ScoreRequest& request);

 private:
  using Layer = DecodeWeights::Layer;
  struct Rows {
    std::int64_t first, count;
  };

  void reserve(std::int64_t rows);
  void begin(std::span<const std::int32_t> tokens);
  // What follows runs on every member of the team; each ends with a meeting.
  void embed(int member, std::span<const std::int32_t> tokens);
  void norm(int member, Rows rows, const float* weight);
  void multiply(int member, const DecodeWeights::Matrix& matrix, std::int64_t rows, const float* x,
                float* y, bool accumulate);
  void project_qkv(int member, const Layer& layer, std::int64_t rows);
  void attend_sequence(int member, std::size_t layer, std::int64_t length, KvCache* cache);
  void attend_caches(int member, std::size_t layer, std::span<const DecodeRow> rows);
  void finish_layer(int member, const Layer& layer, std::int64_t rows);
  void keep_rows(int member, std::span<const std::int64_t> rows);
  void forward(int member, std::span<const std::int32_t> tokens, KvCache* cache,
               std::span<const std::int64_t> wanted);
  void head(int member, Rows rows, float* logits);
  float* scratch(int member) const { return scratch_.data() + member * scratch_size_; }
  void reserve_scratch(std::int64_t floats);

  std::shared_ptr<const DecodeWeights> weights_;
  const ModelConfig& config_;
  const std::int64_t hidden_, inner_, query_, key_value_, qkv_width_;
  Team team_;
  std::int64_t reserved_ = 0;
  std::vector<std::int32_t> positions_;
  std::vector<std::int32_t> tokens_;
  FloatBuffer x_;            // [rows, hidden]: the residual stream
  FloatBuffer inverse_rms_;  // [rows]
  FloatBuffer qkv_;          // [rows, (heads + 2 kv heads) * head_dim]
  FloatBuffer attended_;     // [rows, heads * head_dim]
  FloatBuffer log_sum_exp_;  // [rows, heads]: what attention() writes besides
  FloatBuffer unnormed_;     // [rows, (heads + kv heads) * head_dim]: written by the norms of heads
  FloatBuffer qk_inverse_rms_;  // [rows, heads + kv heads], likewise
  // Of a chunk of rows:
  FloatBuffer normed_;     // [chunk, hidden]
  FloatBuffer gate_up_;    // [chunk, 2 * intermediate]
  FloatBuffer activated_;  // [chunk, intermediate]
  FloatBuffer logits_;     // [rows, vocab]
  FloatBuffer scratch_;    // [members, scratch_size_]
  std::int64_t scratch_size_ = 0;
  RotaryTable rotary_;
};

}  // namespace tapir::student
