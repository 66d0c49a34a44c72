// Random numbers that are the same on every machine. Every draw of a run comes from a stream that
// is named by (seed, stage, id), so that neither the order of arrival nor a resume changes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tapir {

// xoshiro256** (Blackman and Vigna), seeded by SHA-256 of the name. Not thread-safe: one stream,
// one user.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::string_view stage, std::string_view id = {});

  std::uint64_t next();                      // 64 uniform bits
  double uniform();                          // [0, 1), 53 bits
  std::uint64_t below(std::uint64_t bound);  // [0, bound), unbiased; bound > 0
  int between(int low, int high);            // [low, high], both included
  bool chance(double probability);           // true with this probability
  double normal();                           // mean 0, standard deviation 1

  // Fisher-Yates, from the back.
  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }
  template <typename T>
  const T& choose(const std::vector<T>& items) {
    return items[below(items.size())];
  }

  // The state, so that a checkpoint can hold a stream.
  std::array<std::uint64_t, 4> state() const { return state_; }
  void restore(const std::array<std::uint64_t, 4>& state) { state_ = state; }

 private:
  std::array<std::uint64_t, 4> state_;
};

// A sample that is the same in whatever order the ids come: the places, ascending, of the `rows`
// ids whose streams (seed, stage, id) draw the smallest numbers. All places where there are fewer.
std::vector<std::size_t> sample_places(std::span<const std::string> ids, std::size_t rows,
                                       std::uint64_t seed, std::string_view stage);

}  // namespace tapir
