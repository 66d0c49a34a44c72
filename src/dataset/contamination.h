// Does an instruction hold an item of an evaluation set? Such rows must not be trained on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "records/message.h"
#include "stats/rouge_index.h"

namespace tapir::dataset {

struct EvaluationItem {
  std::string set;  // the file's name
  std::string id;   // as the file has it, else its number from 0; MT-Bench: "<question>/<turn>"
  std::string text;
};

// AlpacaEval's outputs and annotations, MT-Bench's questions ("turns": an item each), and every
// form of read_instructions(). Error{data} as there.
std::vector<EvaluationItem> read_evaluation_items(const std::vector<std::filesystem::path>& files);

struct ContaminationOptions {
  std::size_t ngram = 8;  // words
  // Of an item's words, the share that lies in n-grams which the text has too. An item of fewer
  // words than an n-gram has to be in the text as a whole, and be this share of the text.
  double share = 0.5;
  double rouge_l = 0.7;  // so like an item as a whole; 0: not looked at
};

struct Contamination {
  std::size_t item = 0;  // of items()
  std::string how;       // "ngrams" or "rouge_l"
  double share = 0;      // of the item's words, or ROUGE-L
};

// Words: ASCII letters and digits in lower case, and what is not ASCII; a character of a script
// written without spaces (from U+2E80 on) is a word. Immutable, so thread-safe.
class EvaluationIndex {
 public:
  explicit EvaluationIndex(std::vector<EvaluationItem> items,
                           const ContaminationOptions& options = {});

  // The item with the largest share (of several the first); n-grams before ROUGE-L.
  std::optional<Contamination> find(std::string_view text) const;
  // Of any message that is not the system's, answers in the conversation included.
  std::optional<Contamination> find(const Messages& messages) const;

  std::span<const EvaluationItem> items() const { return items_; }
  const ContaminationOptions& options() const { return options_; }

 private:
  struct Place {
    std::uint32_t item;
    std::uint32_t word;  // where the n-gram begins in the item
  };
  using Places = std::unordered_map<std::uint64_t, std::vector<Place>>;

  std::optional<Contamination> by_ngrams(const std::vector<std::uint64_t>& words) const;
  std::optional<Contamination> by_whole_items(const std::vector<std::uint64_t>& words) const;

  ContaminationOptions options_;
  std::vector<EvaluationItem> items_;
  std::vector<std::size_t> lengths_;  // of the items, in words
  Places ngrams_;                     // by hash
  std::vector<Places> short_items_;   // [words] by hash of the whole item
  std::optional<stats::RougeIndex> rouge_;
};

}  // namespace tapir::dataset
