#include "base/random.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <string>

#include "base/error.h"
#include "base/hash.h"

namespace tapir {

RandomStream::RandomStream(std::uint64_t seed, std::string_view stage, std::string_view id) {
  std::string name = std::to_string(seed);
  name += '\0';
  name += stage;
  name += '\0';
  name += id;
  const auto digest = sha256(name);
  for (std::size_t word = 0; word < 4; ++word) {
    state_[word] = 0;
    for (std::size_t byte = 0; byte < 8; ++byte) {
      state_[word] |= std::uint64_t{digest[8 * word + byte]} << (8 * byte);
    }
  }
}

std::uint64_t RandomStream::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double RandomStream::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

std::uint64_t RandomStream::below(std::uint64_t bound) {
  check(bound > 0, "RandomStream::below needs a positive bound");
  const std::uint64_t limit = ~std::uint64_t{0} - (~std::uint64_t{0} % bound + 1) % bound;
  std::uint64_t draw = next();
  while (draw > limit) draw = next();
  return draw % bound;
}

int RandomStream::between(int low, int high) {
  check(low <= high, "RandomStream::between needs low <= high");
  return low + static_cast<int>(below(static_cast<std::uint64_t>(high - low) + 1));
}

bool RandomStream::chance(double probability) { return uniform() < probability; }

double RandomStream::normal() {
  double u = uniform();
  while (u <= 0) u = uniform();
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * uniform());
}

std::vector<std::size_t> sample_places(std::span<const std::string> ids, std::size_t rows,
                                       std::uint64_t seed, std::string_view stage) {
  std::vector<std::pair<std::uint64_t, std::size_t>> draws;  // with its place
  draws.reserve(ids.size());
  for (std::size_t place = 0; place < ids.size(); ++place)
    draws.emplace_back(RandomStream(seed, stage, ids[place]).next(), place);
  // Equal draws go by id, never by place.
  std::sort(draws.begin(), draws.end(), [&](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : ids[a.second] < ids[b.second];
  });
  draws.resize(std::min(rows, draws.size()));
  std::vector<std::size_t> places;
  for (const auto& [draw, place] : draws) places.push_back(place);
  std::sort(places.begin(), places.end());
  return places;
}

}  // namespace tapir
