#include "text/bpe_model.h"

#include <algorithm>
#include <bit>
#include <limits>

#include <fmt/format.h>
#include <unicode/utf8.h>

#include "base/error.h"
#include "text/byte_level.h"

namespace tapir::text {
namespace {

constexpr std::size_t kShortWord =
    48;  // symbols; above, a heap is faster than looking at all pairs

std::uint64_t pair_key(TokenId left, TokenId right) {
  return (std::uint64_t{static_cast<std::uint32_t>(left)} << 32) |
         static_cast<std::uint32_t>(right);
}

std::size_t scatter(std::uint64_t key) {
  key *= 0x9E3779B97F4A7C15ULL;
  return static_cast<std::size_t>(key ^ (key >> 29));
}

TokenId find_part(const BpeDescription& description, const std::string& part,
                  const std::string& where) {
  const auto found = description.vocabulary.find(part);
  if (found == description.vocabulary.end()) {
    throw Error(ErrorKind::data,
                where + ": a merge needs the token \"" +
                    (description.byte_level ? to_byte_level(part) : part) +
                    "\", which is not in the vocabulary",
                "vocabulary and merges are not of the same tokenizer");
  }
  return found->second;
}

// The characters of valid UTF-8 have this length.
std::size_t character_length(char first) {
  return static_cast<std::size_t>(U8_COUNT_TRAIL_BYTES_UNSAFE(static_cast<std::uint8_t>(first))) +
         1;
}

}  // namespace

BpeModel::BpeModel(const BpeDescription& description, const std::string& where)
    : byte_level_(description.byte_level),
      byte_fallback_(description.byte_fallback),
      unknown_(description.unknown),
      fuse_unknown_(description.fuse_unknown) {
  read_symbols(description, where);
  merges_.resize(std::bit_ceil(description.merges.size() * 2 + 2));
  std::int32_t rank = 0;
  for (const auto& [left, right] : description.merges) {
    const TokenId merged = find_part(description, left + right, where);
    const std::uint64_t pair =
        pair_key(find_part(description, left, where), find_part(description, right, where));
    if (!description.control_tokens.contains(merged)) insert_merge({pair, rank, merged});
    ++rank;
  }
  if (!description.ignore_merges) return;
  for (const auto& [bytes, id] : description.vocabulary) {
    if (!description.control_tokens.contains(id)) whole_words_.emplace(bytes, id);
  }
}

// The tokens that words are made of before any merge.
void BpeModel::read_symbols(const BpeDescription& description, const std::string& where) {
  const auto text_id = [&](const std::string& token) {
    const auto found = description.vocabulary.find(token);
    const bool usable = found != description.vocabulary.end() &&
                        !description.control_tokens.contains(found->second);
    return usable ? found->second : -1;
  };
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::string token =
        byte_level_ ? std::string(1, static_cast<char>(byte)) : fmt::format("<0x{:02X}>", byte);
    byte_ids_[byte] = text_id(token);
    if (byte_level_ && byte_ids_[byte] < 0 && description.vocabulary.contains(token)) {
      throw Error(ErrorKind::data, where + ": the token of the byte " + std::to_string(byte) +
                                       " is marked as special: no text could be told from it");
    }
  }
  for (std::size_t c = 0; c < ascii_ids_.size(); ++c) {
    ascii_ids_[c] = text_id(std::string(1, static_cast<char>(c)));
  }
  for (const auto& [token, id] : description.vocabulary) {
    const bool character = token.size() > 1 && token.size() == character_length(token.front());
    if (!byte_level_ && character && !description.control_tokens.contains(id)) {
      character_ids_.emplace(token, id);
    }
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

void BpeModel::encode_word(std::string_view word, BpeScratch& scratch,
                           std::vector<TokenId>& ids) const {
  if (word.empty()) return;
  const auto key = WordCache::key_of(word);
  if (key) {
    const std::span<const TokenId> known = scratch.cache.find(*key);
    if (!known.empty()) {
      ids.insert(ids.end(), known.begin(), known.end());
      return;
    }
  }
  merge_word(word, scratch);
  ids.insert(ids.end(), scratch.symbols.begin(), scratch.symbols.end());
  if (key) scratch.cache.insert(*key, scratch.symbols);
}

void BpeModel::merge_word(std::string_view word, BpeScratch& scratch) const {
  scratch.symbols.clear();
  const auto whole = whole_words_.find(word);
  if (whole != whole_words_.end()) {
    scratch.symbols.push_back(whole->second);
    return;
  }
  byte_level_ ? first_symbols(word, scratch.symbols) : first_characters(word, scratch.symbols);
  scratch.symbols.size() <= kShortWord ? merge_short(scratch) : merge_long(scratch);
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

TokenId BpeModel::character_id(std::string_view character) const {
  if (character.size() == 1) return ascii_ids_[static_cast<std::uint8_t>(character.front())];
  const auto found = character_ids_.find(character);
  return found == character_ids_.end() ? -1 : found->second;
}

bool BpeModel::fall_back(std::string_view character, std::vector<TokenId>& symbols) const {
  if (!byte_fallback_) return false;
  const auto id = [&](char c) { return byte_ids_[static_cast<std::uint8_t>(c)]; };
  if (!std::all_of(character.begin(), character.end(), [&](char c) { return id(c) >= 0; })) {
    return false;
  }
  for (const char c : character) symbols.push_back(id(c));
  return true;
}

// An unknown waits until a known character follows, and bytes overtake it: as in the reference.
void BpeModel::first_characters(std::string_view word, std::vector<TokenId>& symbols) const {
  bool unknown_waits = false;
  for (std::size_t at = 0; at < word.size();) {
    const std::string_view character = word.substr(at, character_length(word[at]));
    at += character.size();
    const TokenId id = character_id(character);
    if (id >= 0) {
      if (unknown_waits) symbols.push_back(unknown_);
      unknown_waits = false;
      symbols.push_back(id);
    } else if (!fall_back(character, symbols) && unknown_ >= 0) {
      if (unknown_waits && !fuse_unknown_) symbols.push_back(unknown_);
      unknown_waits = true;
    }
  }
  if (unknown_waits) symbols.push_back(unknown_);
}

// The best merge, leftmost first, until there is none.
void BpeModel::merge_short(BpeScratch& scratch) const {
  std::vector<TokenId>& symbols = scratch.symbols;
  std::array<const Merge*, kShortWord> merges{};  // of a symbol with the next one
  std::size_t count = symbols.size();
  const auto look_up = [&](std::size_t i) {
    merges[i] = i + 1 < count ? find_merge(symbols[i], symbols[i + 1]) : nullptr;
  };
  for (std::size_t i = 0; i < count; ++i) look_up(i);
  while (count > 1) {
    std::int32_t best_rank = std::numeric_limits<std::int32_t>::max();
    std::size_t best = count;
    for (std::size_t i = 0; i + 1 < count; ++i) {
      if (merges[i] == nullptr || merges[i]->rank >= best_rank) continue;
      best_rank = merges[i]->rank;
      best = i;
    }
    if (best == count) break;
    symbols[best] = merges[best]->merged;
    --count;
    for (std::size_t i = best + 1; i < count; ++i) {
      symbols[i] = symbols[i + 1];
      merges[i] = merges[i + 1];
    }
    look_up(best);
    if (best > 0) look_up(best - 1);
  }
  symbols.resize(count);
}

// The same with a heap and a linked list: n log n for a word of any length.
void BpeModel::merge_long(BpeScratch& scratch) const {
  std::vector<TokenId>& symbols = scratch.symbols;
  auto& list = scratch.list;
  auto& heap = scratch.heap;
  list.clear();
  heap.clear();
  const auto count = static_cast<std::int32_t>(symbols.size());
  for (std::int32_t i = 0; i < count; ++i) {
    list.push_back({symbols[static_cast<std::size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1, true});
  }
  const auto symbol = [&](std::int32_t at) -> BpeScratch::Symbol& {
    return list[static_cast<std::size_t>(at)];
  };
  const auto consider = [&](std::int32_t left, std::int32_t right) {
    if (left < 0 || right < 0) return;
    const Merge* merge = find_merge(symbol(left).id, symbol(right).id);
    if (merge == nullptr) return;
    heap.push_back({merge->rank, left, symbol(left).id, symbol(right).id});
    std::push_heap(heap.begin(), heap.end());
  };
  for (std::int32_t i = 0; i + 1 < count; ++i) consider(i, i + 1);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    const BpeScratch::Candidate best = heap.back();
    heap.pop_back();
    BpeScratch::Symbol& left = symbol(best.at);
    if (!left.alive || left.id != best.left || left.next < 0) continue;
    BpeScratch::Symbol& right = symbol(left.next);
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
