// Learns a byte-level BPE: again and again the most frequent pair of neighbours becomes a token.
#include <algorithm>
#include <queue>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "text/bpe_model.h"
#include "text/byte_level.h"
#include "text/regex.h"
#include "text/tokenizer.h"

namespace tapir::text {
namespace {

using SymbolId = std::int32_t;

struct Word {
  std::vector<SymbolId> symbols;
  std::int64_t count = 0;
};

using Pair = std::pair<SymbolId, SymbolId>;

struct PairHash {
  std::size_t operator()(const Pair& pair) const {
    const auto key = (static_cast<std::uint64_t>(static_cast<std::uint32_t>(pair.first)) << 32) |
                     static_cast<std::uint32_t>(pair.second);
    return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15ULL) >> 17);
  }
};

struct PairEntry {
  std::int64_t count = 0;
  std::vector<std::int32_t> words;  // where it is or was; may hold a word twice
};

class Trainer {
 public:
  explicit Trainer(const BpeTrainerOptions& options) : options_(options) {}

  void count_words(std::span<const std::string> texts);
  void learn();
  std::string to_json() const;

 private:
  struct Candidate {
    std::int64_t count = 0;
    Pair pair;
  };

  bool better(const Candidate& a, const Candidate& b) const;
  void start_symbols();
  void count_pairs();
  void merge(const Pair& pair, SymbolId merged);
  void replace_in_word(std::int32_t index, const Pair& pair, SymbolId merged);
  void change(const Pair& pair, std::int64_t by, std::int32_t word);
  void push(const Pair& pair, std::int64_t count);

  const BpeTrainerOptions& options_;
  std::vector<std::pair<std::string, std::int64_t>> counted_;  // sorted by word
  std::vector<Word> words_;
  std::vector<std::string> strings_;  // bytes of a symbol; special tokens come first
  BytesToId known_;                   // bytes to symbol
  std::set<std::string> special_;
  std::unordered_map<Pair, PairEntry, PairHash> pairs_;
  std::vector<Candidate> heap_;
  std::vector<Pair> changed_;  // pairs whose count grew in this merge
  std::vector<Pair> merges_;
  std::set<Pair> merged_;
};

void Trainer::count_words(std::span<const std::string> texts) {
  const Regex pattern(options_.pattern, "tokenizer training");
  std::unordered_map<std::string, std::int64_t, StringHash, std::equal_to<>> counts;
  std::vector<Range> matches;
  const auto add = [&](std::string_view word) {
    const auto found = counts.find(word);
    if (found != counts.end()) {
      ++found->second;
    } else if (!word.empty()) {
      counts.emplace(word, 1);
    }
  };
  for (const std::string& raw : texts) {
    std::string repaired;
    std::string_view text = raw;
    if (!is_valid_utf8(raw)) text = repaired = valid_utf8(raw);
    pattern.find_all(text, matches);
    std::size_t end = 0;
    for (const Range& match : matches) {
      add(text.substr(end, match.begin - end));
      add(text.substr(match.begin, match.end - match.begin));
      end = match.end;
    }
    add(text.substr(end));
  }
  counted_.assign(counts.begin(), counts.end());
  std::sort(counted_.begin(), counted_.end());
}

// Special tokens, then the bytes in the order of the characters that stand for them.
void Trainer::start_symbols() {
  for (const std::string& token : options_.special_tokens) {
    if (token.empty() || !special_.insert(token).second) {
      throw Error(ErrorKind::usage, "special token \"" + token + "\" is empty or given twice");
    }
    strings_.push_back(token);
  }
  std::vector<std::pair<std::string, std::uint8_t>> alphabet;
  for (unsigned byte = 0; byte < 256; ++byte) {
    alphabet.emplace_back(byte_to_char(static_cast<std::uint8_t>(byte)), byte);
  }
  std::sort(alphabet.begin(), alphabet.end());
  for (const auto& [character, byte] : alphabet) {
    if (special_.contains(character)) {
      throw Error(ErrorKind::usage, "special token \"" + character + "\" is a byte of the alphabet",
                  "choose something longer, such as <|user|>");
    }
    known_.emplace(std::string(1, static_cast<char>(byte)), static_cast<SymbolId>(strings_.size()));
    strings_.emplace_back(1, static_cast<char>(byte));
  }
  if (static_cast<std::size_t>(std::max(options_.vocab_size, 0)) < strings_.size()) {
    throw Error(ErrorKind::usage, "vocab_size " + std::to_string(options_.vocab_size) +
                                      " does not hold the special tokens and the 256 bytes (" +
                                      std::to_string(strings_.size()) + ")");
  }
}

void Trainer::count_pairs() {
  words_.reserve(counted_.size());
  for (const auto& [text, count] : counted_) {
    const auto index = static_cast<std::int32_t>(words_.size());
    Word word{{}, count};
    for (const char c : text) word.symbols.push_back(known_.find(std::string_view(&c, 1))->second);
    for (std::size_t i = 0; i + 1 < word.symbols.size(); ++i) {
      change({word.symbols[i], word.symbols[i + 1]}, count, index);
    }
    words_.push_back(std::move(word));
  }
  changed_.clear();
  for (const auto& [pair, entry] : pairs_) heap_.push_back({entry.count, pair});
  std::make_heap(heap_.begin(), heap_.end(),
                 [&](const Candidate& a, const Candidate& b) { return better(b, a); });
}

// A total order, so that the order of the hash map does not matter.
bool Trainer::better(const Candidate& a, const Candidate& b) const {
  if (a.count != b.count) return a.count > b.count;
  const auto string = [&](SymbolId id) -> const std::string& {
    return strings_[static_cast<std::size_t>(id)];
  };
  if (const int order = string(a.pair.first).compare(string(b.pair.first))) return order < 0;
  if (const int order = string(a.pair.second).compare(string(b.pair.second))) return order < 0;
  return a.pair < b.pair;
}

void Trainer::push(const Pair& pair, std::int64_t count) {
  heap_.push_back({count, pair});
  std::push_heap(heap_.begin(), heap_.end(),
                 [&](const Candidate& a, const Candidate& b) { return better(b, a); });
}

void Trainer::change(const Pair& pair, std::int64_t by, std::int32_t word) {
  PairEntry& entry = pairs_[pair];
  entry.count += by;
  if (by <= 0) return;
  if (entry.words.empty() || entry.words.back() != word) entry.words.push_back(word);
  changed_.push_back(pair);
}

void Trainer::replace_in_word(std::int32_t index, const Pair& pair, SymbolId merged) {
  Word& word = words_[static_cast<std::size_t>(index)];
  std::vector<SymbolId>& symbols = word.symbols;
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
    if (symbols[i] != pair.first || symbols[i + 1] != pair.second) continue;
    if (i > 0) {
      change({symbols[i - 1], pair.first}, -word.count, index);
      change({symbols[i - 1], merged}, word.count, index);
    }
    if (i + 2 < symbols.size()) {
      change({pair.second, symbols[i + 2]}, -word.count, index);
      change({merged, symbols[i + 2]}, word.count, index);
    }
    symbols[i] = merged;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
  }
}

void Trainer::merge(const Pair& pair, SymbolId merged) {
  changed_.clear();
  const std::vector<std::int32_t> words = std::move(pairs_[pair].words);
  pairs_.erase(pair);
  for (const std::int32_t index : words) replace_in_word(index, pair, merged);
  pairs_.erase(pair);  // a run such as "aaa" brings it back with a count below zero
  std::sort(changed_.begin(), changed_.end());
  changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
  for (const Pair& grown : changed_) {
    const auto found = pairs_.find(grown);
    if (found != pairs_.end() && found->second.count > 0) push(grown, found->second.count);
  }
}

void Trainer::learn() {
  start_symbols();
  count_pairs();
  const auto worse = [&](const Candidate& a, const Candidate& b) { return better(b, a); };
  while (strings_.size() < static_cast<std::size_t>(options_.vocab_size) && !heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), worse);
    const Candidate best = heap_.back();
    heap_.pop_back();
    const auto entry = pairs_.find(best.pair);
    if (entry == pairs_.end()) continue;
    if (entry->second.count != best.count) {  // it shrank since it was put here
      if (entry->second.count > 0) push(best.pair, entry->second.count);
      continue;
    }
    if (best.count < std::max(options_.min_frequency, 1)) return;
    std::string bytes = strings_[static_cast<std::size_t>(best.pair.first)] +
                        strings_[static_cast<std::size_t>(best.pair.second)];
    if (special_.contains(to_byte_level(bytes))) {  // text must not become a control token
      pairs_.erase(entry);
      continue;
    }
    const auto fresh = static_cast<SymbolId>(strings_.size());
    const auto [place, added] = known_.emplace(bytes, fresh);  // two pairs may spell one token
    if (added) strings_.push_back(std::move(bytes));
    if (merged_.insert(best.pair).second) merges_.push_back(best.pair);
    merge(best.pair, place->second);
  }
}

// Put together as text, an entry a line, so that a person can read it and `diff` can compare two.
std::string Trainer::to_json() const {
  const auto token = [&](std::size_t id) {
    return id < special_.size() ? strings_[id] : to_byte_level(strings_[id]);
  };
  std::vector<std::string> added;
  std::vector<std::string> vocabulary;
  for (std::size_t id = 0; id < strings_.size(); ++id) {
    const std::string text = Json(token(id)).dump();
    vocabulary.push_back("      " + text + ": " + std::to_string(id));
    if (id >= special_.size()) continue;
    added.push_back(R"(    {"id": )" + std::to_string(id) + R"(, "content": )" + text +
                    R"(, "single_word": false, "lstrip": false, "rstrip": false, )" +
                    R"("normalized": false, "special": true})");
  }
  std::vector<std::string> merges;
  for (const auto& [left, right] : merges_) {
    merges.push_back("      " + Json(token(static_cast<std::size_t>(left)) + " " +
                                     token(static_cast<std::size_t>(right)))
                                    .dump());
  }
  const std::string byte_level =
      R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false})";
  return R"({
  "version": "1.0",
  "truncation": null,
  "padding": null,
  "added_tokens": [
)" + join(added, ",\n") +
         R"(
  ],
  "normalizer": null,
  "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
    {"type": "Split", "pattern": {"Regex": )" +
         Json(options_.pattern).dump() + R"(}, "behavior": "Isolated", "invert": false},
    )" + byte_level +
         R"(
  ]},
  "post_processor": )" +
         byte_level + R"(,
  "decoder": )" +
         byte_level +
         R"(,
  "model": {
    "type": "BPE",
    "dropout": null,
    "unk_token": null,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    "fuse_unk": false,
    "byte_fallback": false,
    "ignore_merges": false,
    "vocab": {
)" + join(vocabulary, ",\n") +
         R"(
    },
    "merges": [
)" + join(merges, ",\n") +
         R"(
    ]
  }
}
)";
}

}  // namespace

std::string train_bpe(std::span<const std::string> texts, const BpeTrainerOptions& options) {
  Trainer trainer(options);
  trainer.count_words(texts);
  trainer.learn();
  return trainer.to_json();
}

}  // namespace tapir::text
