#include "stats/minhash.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "stats/rouge_l.h"

namespace tapir::stats {
namespace {

constexpr double kWantedChance = 0.95;  // of finding a pair right at the threshold

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15ULL;
  return hash ^ (hash >> 29);
}

double chance(double similarity, std::size_t rows, std::size_t bands) {
  const double one_band = std::pow(similarity, static_cast<double>(rows));
  return 1 - std::pow(1 - one_band, static_cast<double>(bands));
}

// The longest bands (the fewest vain looks) with which a pair at the threshold is found well.
std::size_t rows_of_a_band(const MinHashOptions& options) {
  std::size_t rows = 1;
  while (rows < options.values &&
         chance(options.threshold, rows + 1, options.values / (rows + 1)) >= kWantedChance)
    ++rows;
  return rows;
}

}  // namespace

MinHashIndex::MinHashIndex(const MinHashOptions& options) : options_(options) {
  check(options.threshold > 0 && options.threshold <= 1, "MinHash: the threshold lies in (0, 1]");
  check(options.values > 0 && options.shingle > 0, "MinHash: values and shingle are positive");
  rows_ = rows_of_a_band(options);
  bands_.resize(options.values / rows_);
  RandomStream stream(options.seed, "minhash");
  for (std::size_t i = 0; i < options.values; ++i) {
    factors_.push_back(stream.next() | 1);
    terms_.push_back(stream.next());
  }
}

double MinHashIndex::found_chance(double similarity) const {
  return chance(similarity, rows_, bands_.size());
}

MinHashIndex::Signature MinHashIndex::signature(std::string_view text) const {
  const std::vector<std::uint64_t> words = rouge_tokens(text);
  if (words.empty()) return {};
  const std::size_t length = std::min(options_.shingle, words.size());
  Signature values(options_.values, std::numeric_limits<std::uint32_t>::max());
  for (std::size_t at = 0; at + length <= words.size(); ++at) {
    std::uint64_t shingle = length;
    for (std::size_t i = 0; i < length; ++i) shingle = mix(shingle, words[at + i]);
    for (std::size_t i = 0; i < values.size(); ++i) {
      // Multiply-add; the upper half is well mixed.
      const auto value = static_cast<std::uint32_t>((shingle * factors_[i] + terms_[i]) >> 32);
      values[i] = std::min(values[i], value);
    }
  }
  return values;
}

std::uint64_t MinHashIndex::band_key(const Signature& signature, std::size_t band) const {
  std::uint64_t key = band + 1;
  for (std::size_t i = 0; i < rows_; ++i) key = mix(key, signature[band * rows_ + i]);
  return key;
}

void MinHashIndex::add(std::string_view text) {
  check(size_ < std::numeric_limits<std::uint32_t>::max(), "MinHash: room for more texts");
  const Signature values = signature(text);
  const auto number = static_cast<std::uint32_t>(size_++);
  signatures_.resize(size_ * options_.values);
  if (values.empty()) return;
  std::copy(values.begin(), values.end(),
            signatures_.end() - static_cast<std::ptrdiff_t>(options_.values));
  for (std::size_t band = 0; band < bands_.size(); ++band)
    bands_[band][band_key(values, band)].push_back(number);
}

std::optional<MinHashMatch> MinHashIndex::find(std::string_view text) const {
  const Signature values = signature(text);
  if (values.empty()) return std::nullopt;
  std::vector<std::uint32_t> candidates;
  for (std::size_t band = 0; band < bands_.size(); ++band) {
    const auto found = bands_[band].find(band_key(values, band));
    if (found == bands_[band].end()) continue;
    candidates.insert(candidates.end(), found->second.begin(), found->second.end());
  }
  std::sort(candidates.begin(), candidates.end());
  candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
  std::optional<MinHashMatch> best;
  for (const std::uint32_t number : candidates) {
    const std::uint32_t* other = &signatures_[number * options_.values];
    std::size_t equal = 0;
    for (std::size_t i = 0; i < values.size(); ++i) equal += values[i] == other[i] ? 1 : 0;
    const double similarity = static_cast<double>(equal) / static_cast<double>(values.size());
    if (similarity >= options_.threshold && (!best || similarity > best->similarity))
      best = MinHashMatch{number, similarity};
  }
  return best;
}

std::size_t MinHashIndex::bytes() const {
  constexpr std::size_t kEntry = 16 + 24 + 8 + 16;  // node, vector, bucket, the vector's block
  std::size_t bytes = signatures_.capacity() * sizeof(std::uint32_t);
  for (const Band& band : bands_) bytes += band.size() * kEntry;
  return bytes;
}

}  // namespace tapir::stats
