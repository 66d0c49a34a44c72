#include "tasks/light_features.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "base/strings.h"

namespace tapir::tasks {
namespace {

constexpr std::size_t kLongestText = 6000;  // bytes; the task of a longer text shows at its start
constexpr std::size_t kOpeningWords = 4;
constexpr std::size_t kShortestGram = 3;
constexpr std::size_t kLongestGram = 5;

// FNV-1a with a finisher, so that the low bits are good.
std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t hash) {
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001B3ULL;
  }
  return hash;
}
std::uint64_t finished(std::uint64_t hash) {
  hash ^= hash >> 33;
  hash *= 0xFF51AFD7ED558CCDULL;
  hash ^= hash >> 33;
  return hash;
}

enum class Kind : std::uint64_t { word = 1, pair = 2, gram = 3 };

class Counter {
 public:
  explicit Counter(int hash_bits) : mask_((1ULL << hash_bits) - 1) {}

  void add(Kind kind, std::string_view first, std::string_view second = {}) {
    std::uint64_t hash =
        0xCBF29CE484222325ULL + static_cast<std::uint64_t>(kind) * 0x9E3779B97F4A7C15ULL;
    hash = hash_bytes(first, hash);
    if (!second.empty()) hash = hash_bytes(second, hash_bytes(std::string_view("\0", 1), hash));
    buckets_.push_back(static_cast<std::uint32_t>(finished(hash) & mask_));
  }

  std::vector<HashedCount> counts() {
    std::sort(buckets_.begin(), buckets_.end());
    std::vector<HashedCount> out;
    for (const std::uint32_t bucket : buckets_) {
      if (out.empty() || out.back().bucket != bucket) out.push_back({bucket, 0});
      out.back().count += 1;
    }
    return out;
  }

 private:
  std::uint64_t mask_;
  std::vector<std::uint32_t> buckets_;
};

bool in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

// Words in lower case; every other visible character is a word of its own.
std::vector<std::string> words_of(std::string_view text) {
  const std::string lower = lower_ascii(text.substr(0, kLongestText));
  std::vector<std::string> words;
  bool open = false;
  for (const char c : lower) {
    const bool inside = in_word(c);
    if (!inside && (c == ' ' || (c >= 0 && c < ' '))) {
      open = false;
      continue;
    }
    if (!open || !inside) words.emplace_back();
    words.back() += c;
    open = inside;
  }
  return words;
}

void add_grams(const std::string& word, Counter& counter) {
  const std::string marked = join({" ", word, " "}, "");
  for (std::size_t length = kShortestGram; length <= kLongestGram && length <= marked.size();
       ++length) {
    for (std::size_t at = 0; at + length <= marked.size(); ++at) {
      counter.add(Kind::gram, std::string_view(marked).substr(at, length));
    }
  }
}

}  // namespace

HashedText hash_text(std::string_view text, int hash_bits) {
  const std::vector<std::string> words = words_of(text);
  std::array<Counter, kBlocks> counters = {Counter(hash_bits), Counter(hash_bits),
                                           Counter(hash_bits), Counter(hash_bits)};
  const auto count = [&](Block block) -> Counter& {
    return counters[static_cast<std::size_t>(block)];
  };
  for (std::size_t i = 0; i < words.size(); ++i) {
    count(Block::words).add(Kind::word, words[i]);
    if (i > 0) count(Block::pairs).add(Kind::pair, words[i - 1], words[i]);
    add_grams(words[i], count(Block::characters));
    if (i >= kOpeningWords) continue;
    count(Block::opening).add(Kind::word, words[i]);
    if (i > 0) count(Block::opening).add(Kind::pair, words[i - 1], words[i]);
  }
  HashedText hashed;
  for (std::size_t block = 0; block < kBlocks; ++block)
    hashed.blocks[block] = counters[block].counts();
  return hashed;
}

}  // namespace tapir::tasks
