// Byte-pair encoding of one word at a time.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "text/tokenizer.h"

namespace tapir::text {

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
using BytesToId = std::unordered_map<std::string, TokenId, StringHash, std::equal_to<>>;

// What a tokenizer.json says of its BPE, in bytes (not in the byte-level alphabet).
struct BpeDescription {
  BytesToId vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;  // best first
  bool ignore_merges =
      false;             // a word that is in the vocabulary is one token, whatever the merges say
  TokenId unknown = -1;  // for a byte that has no token; -1: it is left out
  bool fuse_unknown = false;
  // Ids that text can never become: merges that form them are left out.
  std::unordered_set<TokenId> control_tokens;
};

// Thread-safe: words once seen are kept in a cache of bounded size, in shards with a lock each.
class BpeModel {
 public:
  // Error{data} naming `where` when a merge has parts that are not in the vocabulary, or a control
  // token is the token of a byte.
  BpeModel(const BpeDescription& description, const std::string& where);

  // Appends the tokens of one word (any bytes).
  void encode_word(std::string_view word, std::vector<TokenId>& ids) const;

 private:
  struct Merge {
    std::uint64_t pair = kNoPair;  // left << 32 | right
    std::int32_t rank = 0;
    TokenId merged = 0;
  };
  static constexpr std::uint64_t kNoPair = ~std::uint64_t{0};

  const Merge* find_merge(TokenId left, TokenId right) const;
  void insert_merge(const Merge& merge);
  void merge_word(std::string_view word, std::vector<TokenId>& ids) const;
  void first_symbols(std::string_view word, std::vector<TokenId>& symbols) const;
  void merge_short(std::vector<TokenId>& symbols) const;
  void merge_long(std::vector<TokenId>& symbols) const;

  std::array<TokenId, 256> byte_ids_{};
  std::vector<Merge> merges_;  // open addressing, a power of two
  BytesToId whole_words_;      // with ignore_merges
  TokenId unknown_ = -1;
  bool fuse_unknown_ = false;

  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::vector<TokenId>, StringHash, std::equal_to<>> words;
  };
  mutable std::array<Shard, 32> cache_;
};

}  // namespace tapir::text
