// Byte-pair encoding of one word at a time.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "text/tokenizer.h"
#include "text/word_cache.h"

namespace tapir::text {

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
using BytesToId = std::unordered_map<std::string, TokenId, StringHash, std::equal_to<>>;

// What a tokenizer.json says of its BPE.
struct BpeDescription {
  // byte_level: a word's first symbols are its bytes, and tokens are given as bytes (not in the
  // byte-level alphabet). Else they are its characters, and tokens are given as they are written.
  bool byte_level = true;
  BytesToId vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;  // best first
  bool ignore_merges = false;  // a word of the vocabulary is one token, whatever the merges say
  bool byte_fallback = false;  // a character without a token becomes its bytes' "<0x..>"
  TokenId unknown = -1;        // else, for what has no token; -1: it is left out
  bool fuse_unknown = false;
  // Ids that text can never become: merges that form them are left out.
  std::unordered_set<TokenId> control_tokens;
};

// What one thread works with, from word to word.
struct BpeScratch {
  struct Symbol {  // of merge_long()
    TokenId id;
    std::int32_t previous;
    std::int32_t next;  // -1: the last
    bool alive;
  };
  struct Candidate {
    std::int32_t rank;
    std::int32_t at;  // the left symbol
    TokenId left;
    TokenId right;
    bool operator<(const Candidate& other) const {  // the top of a heap is its largest
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };
  WordCache cache;
  std::vector<TokenId> symbols;
  std::vector<Symbol> list;
  std::vector<Candidate> heap;
};

// Immutable; thread-safe, with a scratch for each thread.
class BpeModel {
 public:
  // Error{data} naming `where` when a merge has parts that are not in the vocabulary, or a control
  // token is the token of a byte.
  BpeModel(const BpeDescription& description, const std::string& where);

  // Appends the tokens of one word. byte_level: any bytes; else valid UTF-8.
  void encode_word(std::string_view word, BpeScratch& scratch, std::vector<TokenId>& ids) const;

 private:
  struct Merge {
    std::uint64_t pair = kNoPair;  // left << 32 | right
    std::int32_t rank = 0;
    TokenId merged = 0;
  };
  static constexpr std::uint64_t kNoPair = ~std::uint64_t{0};

  void read_symbols(const BpeDescription& description, const std::string& where);
  const Merge* find_merge(TokenId left, TokenId right) const;
  void insert_merge(const Merge& merge);
  void merge_word(std::string_view word, BpeScratch& scratch) const;
  void first_symbols(std::string_view word, std::vector<TokenId>& symbols) const;
  void first_characters(std::string_view word, std::vector<TokenId>& symbols) const;
  TokenId character_id(std::string_view character) const;
  bool fall_back(std::string_view character, std::vector<TokenId>& symbols) const;
  void merge_short(BpeScratch& scratch) const;
  void merge_long(BpeScratch& scratch) const;

  bool byte_level_ = true;
  std::array<TokenId, 256> byte_ids_{};   // of a byte: its own token, or its "<0x..>"
  std::array<TokenId, 128> ascii_ids_{};  // of characters; -1: none
  BytesToId character_ids_;               // beyond ASCII
  std::vector<Merge> merges_;             // open addressing, a power of two
  BytesToId whole_words_;                 // with ignore_merges
  bool byte_fallback_ = false;
  TokenId unknown_ = -1;
  bool fuse_unknown_ = false;
};

}  // namespace tapir::text
