// The tokens of words seen before.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace tapir::text {

// A table of fixed size where a new word takes the place of an old one. Not thread-safe: one for
// each thread that encodes.
class WordCache {
 public:
  static constexpr std::size_t kLongestWord = 23;  // bytes
  static constexpr std::size_t kMostTokens = 7;

  // A word as the table has it: its bytes, zeros behind them, and its length in the last byte.
  struct Key {
    std::array<std::uint64_t, 3> words{};
    bool operator==(const Key&) const = default;
  };

  // Nothing for a word that is too long for the table. word: not empty.
  static std::optional<Key> key_of(std::string_view word);
  // Empty when the word is not there. Valid until the next insert().
  std::span<const TokenId> find(const Key& key) const;
  // Does nothing for too many tokens or none.
  void insert(const Key& key, std::span<const TokenId> ids);

 private:
  struct Entry {
    Key key;
    std::uint32_t count = 0;
    std::array<TokenId, kMostTokens> ids{};
  };
  static std::size_t slot(const Key& key);

  static constexpr std::size_t kEntries = std::size_t{1} << 15;  // 56 bytes each
  std::vector<Entry> entries_{kEntries};
};

// ---- implementation ----
inline std::optional<WordCache::Key> WordCache::key_of(std::string_view word) {
  if (word.size() > kLongestWord) return std::nullopt;
  std::array<char, 24> bytes{};
  for (std::size_t i = 0; i < word.size(); ++i) bytes[i] = word[i];
  bytes[23] = static_cast<char>(word.size());
  Key key;
  __builtin_memcpy(key.words.data(), bytes.data(), bytes.size());
  return key;
}

inline std::size_t WordCache::slot(const Key& key) {
  std::uint64_t hash = key.words[0] * 0x9E3779B97F4A7C15ULL;
  hash = ((hash ^ (hash >> 32)) + key.words[1]) * 0xD6E8FEB86659FD93ULL;
  hash = ((hash ^ (hash >> 32)) + key.words[2]) * 0xD6E8FEB86659FD93ULL;
  return static_cast<std::size_t>(hash >> 40) % kEntries;
}

inline std::span<const TokenId> WordCache::find(const Key& key) const {
  const Entry& entry = entries_[slot(key)];
  if (entry.count == 0 || !(entry.key == key)) return {};
  return {entry.ids.data(), entry.count};
}

inline void WordCache::insert(const Key& key, std::span<const TokenId> ids) {
  if (ids.empty() || ids.size() > kMostTokens) return;
  Entry& entry = entries_[slot(key)];
  entry.key = key;
  entry.count = static_cast<std::uint32_t>(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) entry.ids[i] = ids[i];
}

}  // namespace tapir::text
