#include "evaluate/alpaca_judge.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/hash.h"
#include "prompting/judgment_forms.h"

namespace tapir::evaluate {
namespace {

// The Mersenne twister as Python seeds it (init_by_array; Matsumoto and Nishimura 2002).
// std::mt19937 has no such seeding. Only the first draws are needed, so only they are computed.
class MersenneTwister {
 public:
  explicit MersenneTwister(const std::vector<std::uint32_t>& key) {
    state_[0] = 19650218U;
    for (std::uint32_t i = 1; i < kSize; ++i) state_[i] = 1812433253U * mixed(i - 1) + i;
    std::uint32_t i = 1;
    std::uint32_t j = 0;
    const auto advance = [&] {
      if (++i < kSize) return;
      state_[0] = state_[kSize - 1];
      i = 1;
    };
    for (std::size_t n = std::max<std::size_t>(kSize, key.size()); n > 0; --n) {
      state_[i] = (state_[i] ^ (mixed(i - 1) * 1664525U)) + key[j] + j;
      if (++j == key.size()) j = 0;
      advance();
    }
    for (std::uint32_t n = kSize - 1; n > 0; --n) {
      state_[i] = (state_[i] ^ (mixed(i - 1) * 1566083941U)) - i;
      advance();
    }
    state_[0] = 0x80000000U;
  }

  // The draws in order, at most 227 of them (state that a draw changes is not looked at again by
  // those).
  std::uint32_t next() {
    const std::uint32_t both = (state_[at_] & 0x80000000U) | (state_[at_ + 1] & 0x7FFFFFFFU);
    std::uint32_t y = state_[at_ + 397] ^ (both >> 1) ^ ((both & 1U) != 0 ? 0x9908B0DFU : 0U);
    ++at_;
    y ^= y >> 11;
    y ^= (y << 7) & 0x9D2C5680U;
    y ^= (y << 15) & 0xEFC60000U;
    return y ^ (y >> 18);
  }

 private:
  static constexpr std::uint32_t kSize = 624;
  std::uint32_t mixed(std::uint32_t i) const { return state_[i] ^ (state_[i] >> 30); }
  std::array<std::uint32_t, kSize> state_{};
  std::size_t at_ = 0;
};

// A big-endian number as 32-bit words, the lowest first.
std::vector<std::uint32_t> words_of(std::string_view big_endian) {
  std::vector<std::uint32_t> words((big_endian.size() + 3) / 4, 0);
  for (std::size_t i = 0; i < big_endian.size(); ++i) {
    const auto byte = static_cast<unsigned char>(big_endian[big_endian.size() - 1 - i]);
    words[i / 4] |= std::uint32_t{byte} << (8 * (i % 4));
  }
  while (words.size() > 1 && words.back() == 0) words.pop_back();
  return words;
}

}  // namespace

double python_random(std::string_view seed) {
  const std::array<std::uint8_t, 64> digest = sha512(seed);
  std::string number(seed);
  number.append(digest.begin(), digest.end());
  MersenneTwister twister(words_of(number));
  const std::uint32_t high = twister.next() >> 5;
  const std::uint32_t low = twister.next() >> 6;
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

bool is_switched(std::string_view instruction) {
  return python_random("is_switched_outputs" + std::string(instruction) + "0") * 2 >= 1;
}

std::optional<double> preference_of_tokens(std::span<const llm::TokenLogprob> first_tokens) {
  constexpr double kMissing = -std::numeric_limits<double>::infinity();
  double first = kMissing;
  double second = kMissing;
  bool any = false;
  for (const llm::TokenLogprob& token : first_tokens) {  // of equal tokens the last, as upstream
    if (token.token == kFirstLabel) first = token.logprob;
    if (token.token == kSecondLabel) second = token.logprob;
    any = any || token.token == kFirstLabel || token.token == kSecondLabel;
  }
  const double larger = std::max(first, second);
  if (!any || larger == kMissing) return std::nullopt;
  const double both = larger + std::log(std::exp(first - larger) + std::exp(second - larger));
  return 2 - std::exp(first - both);
}

std::optional<double> preference_of_letter(std::string_view reply) {
  const prompting::ReadChoice read = prompting::read_letter(reply);
  if (!read.ok()) return std::nullopt;
  return *read.choice == prompting::Choice::a ? 1.0 : 2.0;
}

}  // namespace tapir::evaluate
