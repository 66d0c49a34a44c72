#include "student/generate_sample.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"

namespace tapir::student {

void check_sampling(const SamplingParameters& sampling) {
  const auto refuse = [](const std::string& name, double value, const char* expected) {
    throw Error(ErrorKind::usage,
                name + ": expected " + expected + ", found " + std::to_string(value));
  };
  if (!(sampling.temperature >= 0) || std::isinf(sampling.temperature)) {
    refuse("temperature", sampling.temperature, "0 (greedy) or more");
  }
  if (!(sampling.top_p > 0 && sampling.top_p <= 1)) {
    refuse("top_p", sampling.top_p, "a number above 0, at most 1");
  }
  if (sampling.top_k < 0) refuse("top_k", sampling.top_k, "0 (off) or more");
  if (sampling.max_new_tokens < 1) refuse("max_new_tokens", sampling.max_new_tokens, "1 or more");
}

double TokenSampler::weight(float logit, float top) const {
  return std::exp((static_cast<double>(logit) - static_cast<double>(top)) / sampling_.temperature);
}

std::int32_t TokenSampler::choose(std::span<const float> logits, RandomStream& random) {
  const auto best =
      static_cast<std::int32_t>(kernels_.argmax(logits.data(), static_cast<long>(logits.size())));
  if (sampling_.temperature == 0) return best;
  const double u = random.uniform();
  const float top = logits[static_cast<std::size_t>(best)];
  if (sampling_.top_k == 0 && sampling_.top_p >= 1) return draw_from_all(logits, top, u);
  keep_likeliest(logits, top);
  double total = 0;
  for (const Candidate& candidate : candidates_) total += weight(candidate.logit, top);
  double passed = 0;
  for (const Candidate& candidate : candidates_) {
    passed += weight(candidate.logit, top);
    if (u * total < passed) return candidate.token;
  }
  return candidates_.back().token;
}

std::int32_t TokenSampler::draw_from_all(std::span<const float> logits, float top, double u) {
  weights_.resize(logits.size());
  double total = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) total += weights_[i] = weight(logits[i], top);
  double passed = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    passed += weights_[i];
    if (weights_[i] > 0) last = i;
    if (u * total < passed) return static_cast<std::int32_t>(i);
  }
  return static_cast<std::int32_t>(last);  // rounding only
}

// candidates_: those that top_k and top_p leave, the likeliest first, ties by token.
void TokenSampler::keep_likeliest(std::span<const float> logits, float top) {
  candidates_.clear();
  double total = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    candidates_.push_back({logits[i], static_cast<std::int32_t>(i)});
  }
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
  };
  const auto k = static_cast<std::size_t>(sampling_.top_k);
  if (k > 0 && k < candidates_.size()) {
    std::nth_element(candidates_.begin(), candidates_.begin() + sampling_.top_k, candidates_.end(),
                     likelier);
    candidates_.resize(k);
  }
  if (sampling_.top_p >= 1) return std::sort(candidates_.begin(), candidates_.end(), likelier);
  for (const Candidate& candidate : candidates_) total += weight(candidate.logit, top);
  // A heap gives them in order without sorting a vocabulary of which a few are kept.
  const auto less_likely = [&](const Candidate& a, const Candidate& b) { return likelier(b, a); };
  std::make_heap(candidates_.begin(), candidates_.end(), less_likely);
  double passed = 0;
  auto end = candidates_.end();
  while (end != candidates_.begin() && passed < sampling_.top_p * total) {
    std::pop_heap(candidates_.begin(), end--, less_likely);
    passed += weight(end->logit, top);
  }
  candidates_.erase(candidates_.begin(), end);
  std::reverse(candidates_.begin(), candidates_.end());
}

}  // namespace tapir::student
