// Log-probabilities of a chosen token and of the likeliest ones. No torch here.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tapir::student {

struct RankedToken {
  std::int32_t token;
  double logprob;
};

struct TokenRanks {
  double logprob;                // of the token that was chosen
  std::vector<RankedToken> top;  // the likeliest first, ties by token
};

// count: at most so many in `top`.
TokenRanks rank_token(std::span<const float> logits, std::int32_t token, int count);

}  // namespace tapir::student
