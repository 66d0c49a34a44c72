// Chooses the next token from logits. No torch here.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/random.h"
#include "student/decode_kernels.h"
#include "student/student.h"

namespace tapir::student {

// Error{usage} naming the first value that is impossible (temperature below 0, top_p outside (0,
// 1], top_k below 0, max_new_tokens below 1).
void check_sampling(const SamplingParameters& sampling);

// In transformers' order: temperature, then top_k, then top_p (the smallest set of the likeliest
// tokens whose probabilities add up to top_p). One worker's buffers: use it from one thread at a
// time.
class TokenSampler {
 public:
  // REQUIRES: check_sampling() let the parameters pass.
  TokenSampler(const SamplingParameters& sampling, const DecodeKernels& kernels)
      : sampling_(sampling), kernels_(kernels) {}

  // Greedy (temperature 0): the first of the largest logits; the stream is not drawn from.
  // Otherwise one draw.
  std::int32_t choose(std::span<const float> logits, RandomStream& random);

 private:
  struct Candidate {
    float logit;
    std::int32_t token;
  };
  std::int32_t draw_from_all(std::span<const float> logits, float top, double u);
  void keep_likeliest(std::span<const float> logits, float top);
  double weight(float logit, float top) const;

  const SamplingParameters sampling_;
  const DecodeKernels& kernels_;
  std::vector<Candidate> candidates_;
  std::vector<double> weights_;
};

}  // namespace tapir::student
