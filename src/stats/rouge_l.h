// ROUGE-L between two texts, as the rouge_score package computes it without stemming: lower-case,
// tokens [a-z0-9]+.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace tapir::stats {

// A text as token hashes (64 bits each; that two different tokens of a corpus collide has odds of
// about 1e-9). Compute them once per text where a text is compared with many.
std::vector<std::uint64_t> rouge_tokens(std::string_view text);

// F1 of the longest common subsequence, [0, 1]; symmetric; 0 when a text has no token.
double rouge_l_f1(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b);
double rouge_l_f1(std::string_view a, std::string_view b);

// What F1 cannot exceed given the lengths alone: skips most comparisons of a search for
// near-duplicates.
double rouge_l_bound(std::size_t tokens_a, std::size_t tokens_b);

std::size_t longest_common_subsequence(std::span<const std::uint64_t> a,
                                       std::span<const std::uint64_t> b);

}  // namespace tapir::stats
