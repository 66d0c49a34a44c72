#include "stats/rouge_l.h"

#include <algorithm>
#include <string>

#include "stats/lcs.h"

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

std::size_t longest_common_subsequence(std::span<const std::uint64_t> a,
                                       std::span<const std::uint64_t> b) {
  return LcsPattern<std::uint64_t>(a).length(b);
}

double rouge_l_f1(std::size_t common, std::size_t tokens_a, std::size_t tokens_b) {
  if (common == 0) return 0;
  const double precision = static_cast<double>(common) / static_cast<double>(tokens_b);
  const double recall = static_cast<double>(common) / static_cast<double>(tokens_a);
  return 2 * precision * recall / (precision + recall);
}

double rouge_l_f1(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b) {
  return rouge_l_f1(longest_common_subsequence(a, b), a.size(), b.size());
}

double rouge_l_f1(std::string_view a, std::string_view b) {
  return rouge_l_f1(rouge_tokens(a), rouge_tokens(b));
}

std::size_t rouge_l_needs(double f1, std::size_t tokens_a, std::size_t tokens_b) {
  const auto most = std::min(tokens_a, tokens_b);
  // The real bound, less one: the rounding of rouge_l_f1 may lie on either side of it.
  const double bound = f1 * static_cast<double>(tokens_a + tokens_b) / 2;
  std::size_t common = bound < 2 ? 1 : static_cast<std::size_t>(bound) - 1;
  while (common <= most && rouge_l_f1(common, tokens_a, tokens_b) < f1) ++common;
  return common;
}

}  // namespace tapir::stats
