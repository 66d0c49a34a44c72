// The gradient of one optimizer step, computed by several lanes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "student/batching.h"
#include "student/decoder.h"
#include "student/lanes.h"

namespace tapir::student {

struct StepLoss {
  double loss = 0;  // mean over the step's supervised tokens
  std::int64_t tokens = 0;
  std::int64_t supervised_tokens = 0;
  // What sums over them are divided by: 1 where there are none.
  double divisor() const {
    return static_cast<double>(std::max<std::int64_t>(1, supervised_tokens));
  }
};

// Large enough for efficient products, small enough to keep a layer's activations in cache.
constexpr std::int64_t kMicroBatchTokens = 512;

struct LaneOptions {
  int lanes = 1;                                        // on the CPU
  std::int64_t micro_batch_tokens = kMicroBatchTokens;  // of one forward pass
  bool best_fit = false;  // rows of a step share passes by best fit, else in order
  DecoderOptions decoder;
  // With decoder.adapter: the frozen weights, and what dropout is drawn from.
  const float* base = nullptr;
  std::uint64_t seed = 0;
};

constexpr std::int64_t kWithoutDropout = -1;

// What goes through a decoder together: rows that share passes of options.micro_batch_tokens. step:
// names the stream of the adapter's dropout, which neither lanes nor passes change.
std::vector<PackedBatch> make_passes(const std::vector<const EncodedRow*>& rows,
                                     const LaneOptions& options, std::int64_t step);

// Tokens and supervised tokens of these rows, without a loss.
StepLoss count_tokens(const std::vector<const EncodedRow*>& rows);

// One decoder and one gradient array per lane. Lanes, their rows and the order of every sum are
// fixed, so a step's bits do not depend on how many cores there are.
class LaneGradients {
 public:
  LaneGradients(const ModelConfig& config, const LaneOptions& options);

  // Gradients of the mean loss over the step's supervised tokens, one array per lane, to be summed.
  // With no supervised token at all, zeros. `values`: what is learnt: the student's parameters, or
  // the adapter's. step: names the stream of dropout. supervised: what the gradient is divided by
  // when these rows are a part of a step; 0: their own supervised tokens.
  StepLoss compute(const float* values, const std::vector<const EncodedRow*>& rows, LanePool& pool,
                   std::int64_t step = 0, std::int64_t supervised = 0);
  // The loss alone, without dropout.
  StepLoss loss(const float* values, const std::vector<const EncodedRow*>& rows, LanePool& pool);
  std::vector<std::vector<float>>& gradients() { return gradients_; }

  std::int64_t micro_batch_tokens() const { return options_.micro_batch_tokens; }
  // From now on passes of so many tokens, in fresh buffers.
  void set_micro_batch_tokens(std::int64_t tokens);
  // Called before every pass, by several lanes at a time; what it throws ends the computation.
  void before_pass(std::function<void()> call) { before_pass_ = std::move(call); }

 private:
  using Pass = std::function<double(std::size_t lane, const PackedBatch& batch)>;

  void make_decoders();
  // The sum of `pass` over all passes of these rows, divided by their supervised tokens.
  StepLoss for_each_pass(const std::vector<const EncodedRow*>& rows, LanePool& pool,
                         std::int64_t step, const Pass& pass);
  const float* base(const float* values) const {
    return options_.base != nullptr ? options_.base : values;
  }

  ModelConfig config_;
  LaneOptions options_;
  std::vector<Decoder> decoders_;
  std::vector<std::vector<float>> gradients_;
  std::function<void()> before_pass_;
};

// Floating-point operations of the matrix products of forward and backward pass over these rows.
// frozen: no gradients of the weights.
double step_operations(const ModelConfig& config, const std::vector<const EncodedRow*>& rows,
                       bool frozen = false);

}  // namespace tapir::student
