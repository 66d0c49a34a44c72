#include "student/token_logprobs.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tapir::student {

TokenRanks rank_token(std::span<const float> logits, std::int32_t token, int count) {
  const double top = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  const double log_sum = top + std::log(sum);
  const auto logprob = [&](std::int32_t id) {
    return static_cast<double>(logits[static_cast<std::size_t>(id)]) - log_sum;
  };
  TokenRanks ranks{logprob(token), {}};
  if (count <= 0) return ranks;
  std::vector<std::int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto kept = std::min<std::ptrdiff_t>(count, std::ssize(ids));
  std::partial_sort(ids.begin(), ids.begin() + kept, ids.end(),
                    [&](std::int32_t a, std::int32_t b) {
                      const float x = logits[static_cast<std::size_t>(a)];
                      const float y = logits[static_cast<std::size_t>(b)];
                      return x != y ? x > y : a < b;
                    });
  for (std::ptrdiff_t i = 0; i < kept; ++i) {
    const std::int32_t id = ids[static_cast<std::size_t>(i)];
    ranks.top.push_back({id, logprob(id)});
  }
  return ranks;
}

}  // namespace tapir::student
