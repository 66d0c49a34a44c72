// Cuts a text into the words that BPE works on.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace tapir::text {

// The words of a text, in order. They point into it, or into `owned`. Reused from text to text.
struct Words {
  std::vector<std::string_view> list;
  std::deque<std::string> owned;
  std::vector<std::string_view> pieces;  // between two components
};

// The "pre_tokenizer" of a tokenizer.json: ByteLevel, Split, Metaspace, Digits, Punctuation,
// Whitespace, WhitespaceSplit and Sequences of them. Immutable; thread-safe.
class PreTokenizer {
 public:
  // null: the whole text is one word. Error{data} naming `where` and the component that is not
  // supported.
  PreTokenizer(const Json& description, const std::string& where);

  // words: what was in it is gone.
  void split(std::string_view text, Before before, Words& words) const;
  // The model's vocabulary is written in GPT-2's alphabet of bytes.
  bool byte_level() const { return byte_level_; }

 private:
  // Appends the words of one piece to words.list.
  using Step = std::function<void(std::string_view piece, Before before, Words& words)>;

  void add(const Json& description, const std::string& where);
  void add_byte_level(const Json& description, const std::string& where);
  void add_split(const Json& description, const std::string& where);

  std::vector<Step> steps_;
  bool byte_level_ = false;
};

}  // namespace tapir::text
