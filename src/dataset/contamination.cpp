#include "dataset/contamination.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "dataset/dataset_info.h"
#include "dataset/json_rows.h"
#include "dataset/read_instructions.h"

namespace tapir::dataset {
namespace {

// ---- reading ----

void add_turns(const Json& row, const std::string& where, const std::string& set,
               std::vector<EvaluationItem>& items) {
  const auto turns = json_get<std::vector<std::string>>(row, "turns", where);
  const auto id = row.find("question_id");
  const std::string question = id == row.end() ? where : id->dump();
  for (std::size_t turn = 0; turn < turns.size(); ++turn)
    items.push_back({set, question + "/" + std::to_string(turn + 1), turns[turn]});
}

// MT-Bench's questions have "turns", which instruction files have not.
bool has_turns(const std::filesystem::path& file) {
  bool first = true;
  bool turns = false;
  for_each_json_row(read_file(file), file.string(), [&](const Json& row, const std::string&) {
    if (std::exchange(first, false)) turns = row.is_object() && row.contains("turns");
  });
  return turns;
}

// ---- words ----

bool is_ascii_word(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// The bytes of the UTF-8 character that begins with this byte.
std::size_t character_bytes(unsigned char lead) {
  return lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
}

// U+2E80 and above: E2 BA 80 in UTF-8.
bool stands_alone(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0xE2) return false;
  return lead > 0xE2 || (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xBA);
}

// Punctuation outside ASCII: dashes, quotation marks, ellipses (U+2000 to U+206F).
bool is_general_punctuation(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]) == 0xE2 && at + 1 < text.size() &&
         (static_cast<unsigned char>(text[at + 1]) == 0x80 ||
          static_cast<unsigned char>(text[at + 1]) == 0x81);
}

constexpr std::uint64_t kNoWord = 14695981039346656037ULL;  // FNV-1a's offset

// Hashes of the words (FNV-1a of 64 bits).
std::vector<std::uint64_t> words_of(std::string_view text) {
  std::vector<std::uint64_t> words;
  std::uint64_t word = kNoWord;
  const auto add = [&](unsigned char c) { word = (word ^ c) * 1099511628211ULL; };
  const auto end_word = [&] {
    if (word != kNoWord) words.push_back(word);
    word = kNoWord;
  };
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      if (is_ascii_word(c)) {
        add(c >= 'A' && c <= 'Z' ? static_cast<unsigned char>(c - 'A' + 'a') : c);
      } else if (c != '\'') {
        end_word();
      }
      ++i;
      continue;
    }
    const std::size_t bytes = std::min(character_bytes(c), text.size() - i);
    const bool alone = stands_alone(text, i);
    if (is_general_punctuation(text, i)) {
      if (text.substr(i, bytes) != "\xE2\x80\x99") end_word();  // not at an apostrophe
    } else {
      if (alone) end_word();
      for (std::size_t k = 0; k < bytes; ++k) add(static_cast<unsigned char>(text[i + k]));
      if (alone) end_word();
    }
    i += bytes;
  }
  end_word();
  return words;
}

std::uint64_t hash_of(std::span<const std::uint64_t> words) {
  std::uint64_t hash = words.size();
  for (const std::uint64_t word : words) {
    hash = (hash ^ word) * 0x9E3779B97F4A7C15ULL;
    hash ^= hash >> 29;
  }
  return hash;
}

}  // namespace

std::vector<EvaluationItem> read_evaluation_items(const std::vector<std::filesystem::path>& files) {
  std::vector<EvaluationItem> items;
  for (const auto& file : files) {
    const std::string set = file.filename().string();
    if (dataset_reference(file) || !has_turns(file)) {
      std::size_t number = 0;
      for (const DataRow& row : read_instructions(file)) {
        std::string text;
        for (const Message& message : row.instruction.messages) {
          if (message.role == Role::user) text += (text.empty() ? "" : "\n") + message.content;
        }
        items.push_back({set, std::to_string(number++), std::move(text)});
      }
      continue;
    }
    for_each_json_row(
        read_file(file), file.string(),
        [&](const Json& row, const std::string& where) { add_turns(row, where, set, items); });
  }
  return items;
}

EvaluationIndex::EvaluationIndex(std::vector<EvaluationItem> items,
                                 const ContaminationOptions& options)
    : options_(options), items_(std::move(items)), short_items_(options.ngram) {
  check(options.ngram >= 2 && options.share > 0 && options.share <= 1,
        "contamination: n-grams of two words or more, a share in (0, 1]");
  if (options.rouge_l > 0) rouge_.emplace(options.rouge_l);
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const std::vector<std::uint64_t> words = words_of(items_[i].text);
    const auto item = static_cast<std::uint32_t>(i);
    lengths_.push_back(words.size());
    if (rouge_) rouge_->add(items_[i].text);
    if (words.size() < options.ngram) {
      if (!words.empty()) short_items_[words.size()][hash_of(words)].push_back({item, 0});
      continue;
    }
    for (std::size_t at = 0; at + options.ngram <= words.size(); ++at) {
      ngrams_[hash_of(std::span(words).subspan(at, options.ngram))].push_back(
          {item, static_cast<std::uint32_t>(at)});
    }
  }
}

std::optional<Contamination> EvaluationIndex::by_ngrams(
    const std::vector<std::uint64_t>& words) const {
  std::map<std::uint32_t, std::set<std::uint32_t>> covered;  // [item]: its words
  for (std::size_t at = 0; at + options_.ngram <= words.size(); ++at) {
    const auto found = ngrams_.find(hash_of(std::span(words).subspan(at, options_.ngram)));
    if (found == ngrams_.end()) continue;
    for (const Place& place : found->second) {
      for (std::uint32_t i = 0; i < options_.ngram; ++i) covered[place.item].insert(place.word + i);
    }
  }
  std::optional<Contamination> best;
  for (const auto& [item, places] : covered) {
    const double share = static_cast<double>(places.size()) / static_cast<double>(lengths_[item]);
    if (share >= options_.share && (!best || share > best->share))
      best = Contamination{item, "ngrams", share};
  }
  return best;
}

std::optional<Contamination> EvaluationIndex::by_whole_items(
    const std::vector<std::uint64_t>& words) const {
  // The longest first; a short item in a long text is chance.
  for (std::size_t length = std::min(options_.ngram - 1, words.size()); length > 0; --length) {
    const double share = static_cast<double>(length) / static_cast<double>(words.size());
    if (share < options_.share || short_items_[length].empty()) continue;
    for (std::size_t at = 0; at + length <= words.size(); ++at) {
      const auto found = short_items_[length].find(hash_of(std::span(words).subspan(at, length)));
      if (found != short_items_[length].end())
        return Contamination{found->second.front().item, "ngrams", 1.0};
    }
  }
  return std::nullopt;
}

std::optional<Contamination> EvaluationIndex::find(std::string_view text) const {
  const std::vector<std::uint64_t> words = words_of(text);
  if (auto found = by_ngrams(words)) return found;
  if (auto found = by_whole_items(words)) return found;
  if (!rouge_) return std::nullopt;
  const auto match = rouge_->find(text);
  if (!match) return std::nullopt;
  return Contamination{match->number, "rouge_l", match->f1};
}

std::optional<Contamination> EvaluationIndex::find(const Messages& messages) const {
  for (const Message& message : messages) {
    if (message.role == Role::system) continue;
    if (auto found = find(message.content)) return found;
  }
  return std::nullopt;
}

}  // namespace tapir::dataset
