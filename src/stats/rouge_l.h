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

// The same from the length of the longest common subsequence, by the package's own floating-point
// operations, so that a comparison with a threshold comes out as there.
double rouge_l_f1(std::size_t common, std::size_t tokens_a, std::size_t tokens_b);

// The shortest common subsequence with which F1 reaches f1 (above 0); more than the shorter text
// has tokens where none does.
std::size_t rouge_l_needs(double f1, std::size_t tokens_a, std::size_t tokens_b);

std::size_t longest_common_subsequence(std::span<const std::uint64_t> a,
                                       std::span<const std::uint64_t> b);

}  // namespace tapir::stats
