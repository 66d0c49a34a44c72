// Near-duplicates among very many texts by MinHash (Broder 1997) and locality-sensitive hashing: an
// estimate of how many word sequences two texts share, whatever their order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tapir::stats {

struct MinHashOptions {
  double threshold = 0.8;    // (0, 1]: of the estimated Jaccard similarity
  std::size_t values = 128;  // of a signature; the estimate's standard error is at most
                             // 0.5 / sqrt(values)
  std::size_t shingle = 3;   // words of a sequence; a shorter text is one sequence
  std::uint64_t seed = 42;
};

struct MinHashMatch {
  std::size_t number = 0;  // of the text, in the order added, from 0
  double similarity = 0;   // estimated, [0, 1]
};

// Words as in ROUGE-L: [a-z0-9]+ in lower case. Texts are looked up by bands of their signatures,
// so the time for one text does not grow with their number, but a pair at the threshold is missed
// now and then (found_chance()). Memory: about 4 * values + 40 * bands bytes a text. find() may be
// called from many threads while nobody adds.
class MinHashIndex {
 public:
  explicit MinHashIndex(const MinHashOptions& options = {});

  void add(std::string_view text);
  // The most similar text found (of equally similar ones that added first) whose estimate reaches
  // the threshold. A text without a word is like none.
  std::optional<MinHashMatch> find(std::string_view text) const;

  std::size_t size() const { return size_; }
  std::size_t bytes() const;  // memory taken, about
  // Of being looked at, for a pair of that true similarity.
  double found_chance(double similarity) const;

 private:
  using Signature = std::vector<std::uint32_t>;
  struct SameHash {
    std::size_t operator()(std::uint64_t key) const { return key; }
  };
  using Band = std::unordered_map<std::uint64_t, std::vector<std::uint32_t>, SameHash>;

  Signature signature(std::string_view text) const;  // empty: no word
  std::uint64_t band_key(const Signature& signature, std::size_t band) const;

  MinHashOptions options_;
  std::size_t rows_ = 1;                // values of a band
  std::vector<std::uint64_t> factors_;  // of the hash functions, odd
  std::vector<std::uint64_t> terms_;
  std::vector<Band> bands_;
  std::vector<std::uint32_t> signatures_;  // [texts, values]
  std::size_t size_ = 0;
};

}  // namespace tapir::stats
