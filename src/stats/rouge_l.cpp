#include "stats/rouge_l.h"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace tapir::stats {
namespace {

// The only two code points outside ASCII whose lower case (as Python's str.lower) begins with an
// ASCII letter.
constexpr std::string_view kKelvinSign = "\xE2\x84\xAA";
constexpr std::string_view kDottedCapitalI = "\xC4\xB0";

std::uint64_t hash_token(std::string_view token) {
  std::uint64_t hash =
      14695981039346656037ULL;  // FNV-1a, then a finaliser that spreads short tokens
  for (const char c : token) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdULL;
  return hash ^ (hash >> 33);
}

}  // namespace

std::vector<std::uint64_t> rouge_tokens(std::string_view text) {
  std::vector<std::uint64_t> tokens;
  std::string token;
  const auto end_token = [&] {
    if (!token.empty()) tokens.push_back(hash_token(token));
    token.clear();
  };
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      token += c;
      ++i;
    } else if (c >= 'A' && c <= 'Z') {
      token += static_cast<char>(c - 'A' + 'a');
      ++i;
    } else if (text.substr(i, kKelvinSign.size()) == kKelvinSign) {
      token += 'k';
      i += kKelvinSign.size();
    } else if (text.substr(i, kDottedCapitalI.size()) == kDottedCapitalI) {
      token += 'i';  // followed by a combining dot, which ends the token
      end_token();
      i += kDottedCapitalI.size();
    } else {
      end_token();
      ++i;
    }
  }
  end_token();
  return tokens;
}

// Bit-parallel (Hyyrö 2004): 64 cells of a row of the dynamic programme at a time; zeros of `row`
// mark where the length grows.
std::size_t longest_common_subsequence(std::span<const std::uint64_t> a,
                                       std::span<const std::uint64_t> b) {
  if (a.empty() || b.empty()) return 0;
  const std::size_t words = (a.size() + 63) / 64;
  std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> places;
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto& mask = places[a[i]];
    mask.resize(words);
    mask[i / 64] |= 1ULL << (i % 64);
  }
  std::vector<std::uint64_t> row(words, ~0ULL);
  for (const std::uint64_t token : b) {
    const auto found = places.find(token);
    if (found == places.end()) continue;
    std::uint64_t carry = 0;
    for (std::size_t w = 0; w < words; ++w) {
      const std::uint64_t both = row[w] & found->second[w];
      const std::uint64_t partial = row[w] + carry;
      const std::uint64_t sum = partial + both;
      carry = (partial < carry || sum < partial) ? 1 : 0;
      row[w] = sum | (row[w] & ~found->second[w]);
    }
  }
  std::size_t length = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if ((row[i / 64] >> (i % 64) & 1) == 0) ++length;
  }
  return length;
}

double rouge_l_f1(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b) {
  const auto common = static_cast<double>(longest_common_subsequence(a, b));
  if (common == 0) return 0;
  return 2 * common / static_cast<double>(a.size() + b.size());
}

double rouge_l_f1(std::string_view a, std::string_view b) {
  return rouge_l_f1(rouge_tokens(a), rouge_tokens(b));
}

double rouge_l_bound(std::size_t tokens_a, std::size_t tokens_b) {
  if (tokens_a == 0 || tokens_b == 0) return 0;
  return 2 * static_cast<double>(std::min(tokens_a, tokens_b)) /
         static_cast<double>(tokens_a + tokens_b);
}

}  // namespace tapir::stats
