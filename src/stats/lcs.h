// The longest common subsequence of one sequence with many others, bit-parallel (Hyyrö 2004).
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace tapir::stats {

// 64 cells of a row of the dynamic programme are one machine word. Made once for a sequence that is
// compared with many. Immutable, so thread-safe.
template <typename Token>
class LcsPattern {
 public:
  explicit LcsPattern(std::span<const Token> pattern)
      : size_(pattern.size()), words_((pattern.size() + 63) / 64) {
    std::vector<std::pair<Token, std::size_t>> places;
    for (std::size_t i = 0; i < pattern.size(); ++i) places.emplace_back(pattern[i], i);
    std::sort(places.begin(), places.end());
    for (const auto& [token, place] : places) {
      if (tokens_.empty() || tokens_.back() != token) {
        tokens_.push_back(token);
        masks_.resize(masks_.size() + words_);
      }
      masks_[masks_.size() - words_ + place / 64] |= 1ULL << (place % 64);
    }
  }

  std::size_t length(std::span<const Token> other) const {
    // Ones, and where the length grows a zero.
    std::vector<std::uint64_t> row(words_, ~0ULL);
    for (const Token& token : other) {
      const auto found = std::lower_bound(tokens_.begin(), tokens_.end(), token);
      if (found == tokens_.end() || *found != token) continue;
      add(&masks_[static_cast<std::size_t>(found - tokens_.begin()) * words_], row);
    }
    std::size_t zeros = 0;
    for (const std::uint64_t word : row) zeros += static_cast<std::size_t>(std::popcount(~word));
    return zeros;  // bits past the end never become zero: no mask has them
  }

  std::size_t size() const { return size_; }

 private:
  static void add(const std::uint64_t* mask, std::vector<std::uint64_t>& row) {
    std::uint64_t carry = 0;
    for (std::size_t w = 0; w < row.size(); ++w) {
      const std::uint64_t both = row[w] & mask[w];
      const std::uint64_t partial = row[w] + carry;
      const std::uint64_t sum = partial + both;
      carry = (partial < carry || sum < partial) ? 1 : 0;
      row[w] = sum | (row[w] & ~mask[w]);
    }
  }

  std::size_t size_;
  std::size_t words_;
  std::vector<Token> tokens_;         // distinct, ascending
  std::vector<std::uint64_t> masks_;  // [tokens, words]: where each token stands
};

}  // namespace tapir::stats
