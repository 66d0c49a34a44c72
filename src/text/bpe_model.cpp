#include "text/bpe_model.h"

#include <bit>
#include <queue>

#include "base/error.h"
#include "text/byte_level.h"

namespace tapir::text {
namespace {

constexpr std::size_t kShortWord =
    48;  // symbols; above, a heap is faster than looking at all pairs
constexpr std::size_t kLongestCached = 64;  // bytes
constexpr std::size_t kWordsPerShard = 8192;

std::uint64_t pair_key(TokenId left, TokenId right) {
  return (std::uint64_t{static_cast<std::uint32_t>(left)} << 32) |
         static_cast<std::uint32_t>(right);
}

std::size_t scatter(std::uint64_t key) {
  key *= 0x9E3779B97F4A7C15ULL;
  return static_cast<std::size_t>(key ^ (key >> 29));
}

TokenId find_part(const BytesToId& vocabulary, const std::string& part, const std::string& where) {
  const auto found = vocabulary.find(part);
  if (found == vocabulary.end()) {
    throw Error(ErrorKind::data,
                where + ": a merge needs the token \"" + to_byte_level(part) +
                    "\", which is not in the vocabulary",
                "vocabulary and merges are not of the same tokenizer");
  }
  return found->second;
}

}  // namespace

BpeModel::BpeModel(const BpeDescription& description, const std::string& where)
    : unknown_(description.unknown), fuse_unknown_(description.fuse_unknown) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    const auto found = description.vocabulary.find(std::string(1, static_cast<char>(byte)));
    byte_ids_[byte] = found == description.vocabulary.end() ? -1 : found->second;
    if (description.control_tokens.contains(byte_ids_[byte])) {
      throw Error(ErrorKind::data, where + ": the token of the byte " + std::to_string(byte) +
                                       " is marked as special: no text could be told from it");
    }
  }
  merges_.resize(std::bit_ceil(description.merges.size() * 2 + 2));
  std::int32_t rank = 0;
  for (const auto& [left, right] : description.merges) {
    const TokenId merged = find_part(description.vocabulary, left + right, where);
    const std::uint64_t pair = pair_key(find_part(description.vocabulary, left, where),
                                        find_part(description.vocabulary, right, where));
    if (!description.control_tokens.contains(merged)) insert_merge({pair, rank, merged});
    ++rank;
  }
  if (!description.ignore_merges) return;
  for (const auto& [bytes, id] : description.vocabulary) {
    if (!description.control_tokens.contains(id)) whole_words_.emplace(bytes, id);
  }
}

void BpeModel::insert_merge(const Merge& merge) {
  const std::size_t mask = merges_.size() - 1;
  std::size_t slot = scatter(merge.pair) & mask;
  while (merges_[slot].pair != kNoPair && merges_[slot].pair != merge.pair)
    slot = (slot + 1) & mask;
  merges_[slot] = merge;  // of a pair named twice the later one counts, as in the reference
}

const BpeModel::Merge* BpeModel::find_merge(TokenId left, TokenId right) const {
  const std::uint64_t key = pair_key(left, right);
  const std::size_t mask = merges_.size() - 1;
  for (std::size_t slot = scatter(key) & mask;; slot = (slot + 1) & mask) {
    if (merges_[slot].pair == key) return &merges_[slot];
    if (merges_[slot].pair == kNoPair) return nullptr;
  }
}

void BpeModel::encode_word(std::string_view word, std::vector<TokenId>& ids) const {
  if (word.size() == 1 && byte_ids_[static_cast<std::uint8_t>(word[0])] >= 0) {
    ids.push_back(byte_ids_[static_cast<std::uint8_t>(word[0])]);
    return;
  }
  if (word.size() > kLongestCached) {
    std::vector<TokenId> symbols;
    merge_word(word, symbols);
    ids.insert(ids.end(), symbols.begin(), symbols.end());
    return;
  }
  Shard& shard = cache_[StringHash{}(word) % cache_.size()];
  {
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.words.find(word);
    if (found != shard.words.end()) {
      ids.insert(ids.end(), found->second.begin(), found->second.end());
      return;
    }
  }
  std::vector<TokenId> symbols;
  merge_word(word, symbols);
  ids.insert(ids.end(), symbols.begin(), symbols.end());
  const std::lock_guard lock(shard.mutex);
  if (shard.words.size() < kWordsPerShard) shard.words.emplace(word, std::move(symbols));
}

void BpeModel::merge_word(std::string_view word, std::vector<TokenId>& ids) const {
  const auto whole = whole_words_.find(word);
  if (whole != whole_words_.end()) {
    ids.push_back(whole->second);
    return;
  }
  first_symbols(word, ids);
  ids.size() <= kShortWord ? merge_short(ids) : merge_long(ids);
}

void BpeModel::first_symbols(std::string_view word, std::vector<TokenId>& symbols) const {
  bool after_unknown = false;
  for (const char c : word) {
    const TokenId id = byte_ids_[static_cast<std::uint8_t>(c)];
    if (id >= 0) {
      symbols.push_back(id);
    } else if (unknown_ >= 0 && !(fuse_unknown_ && after_unknown)) {
      symbols.push_back(unknown_);
    }
    after_unknown = id < 0;
  }
}

// The best merge, leftmost first, until there is none.
void BpeModel::merge_short(std::vector<TokenId>& symbols) const {
  while (symbols.size() > 1) {
    const Merge* best = nullptr;
    std::size_t best_at = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const Merge* merge = find_merge(symbols[i], symbols[i + 1]);
      if (merge != nullptr && (best == nullptr || merge->rank < best->rank)) {
        best = merge;
        best_at = i;
      }
    }
    if (best == nullptr) return;
    symbols[best_at] = best->merged;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
}

// The same with a heap and a linked list: n log n for a word without a blank of any length.
void BpeModel::merge_long(std::vector<TokenId>& symbols) const {
  struct Symbol {
    TokenId id;
    std::int32_t previous;
    std::int32_t next;  // -1: the last
    bool alive = true;
  };
  struct Candidate {
    std::int32_t rank;
    std::int32_t at;  // the left symbol
    TokenId left;
    TokenId right;
    bool operator<(const Candidate& other) const {  // the top of a priority_queue is its largest
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };
  const auto count = static_cast<std::int32_t>(symbols.size());
  std::vector<Symbol> list;
  list.reserve(symbols.size());
  for (std::int32_t i = 0; i < count; ++i) {
    list.push_back({symbols[static_cast<std::size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1});
  }
  const auto symbol = [&](std::int32_t at) -> Symbol& {
    return list[static_cast<std::size_t>(at)];
  };
  std::priority_queue<Candidate> candidates;
  const auto consider = [&](std::int32_t left, std::int32_t right) {
    if (left < 0 || right < 0) return;
    const Merge* merge = find_merge(symbol(left).id, symbol(right).id);
    if (merge != nullptr) {
      candidates.push({merge->rank, left, symbol(left).id, symbol(right).id});
    }
  };
  for (std::int32_t i = 0; i + 1 < count; ++i) consider(i, i + 1);
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = symbol(best.at);
    if (!left.alive || left.id != best.left || left.next < 0) continue;
    Symbol& right = symbol(left.next);
    if (right.id != best.right) continue;
    left.id = find_merge(left.id, right.id)->merged;
    right.alive = false;
    left.next = right.next;
    if (left.next >= 0) symbol(left.next).previous = best.at;
    consider(left.previous, best.at);
    consider(best.at, left.next);
  }
  symbols.clear();
  for (std::int32_t at = 0; at >= 0; at = symbol(at).next) symbols.push_back(symbol(at).id);
}

}  // namespace tapir::text
