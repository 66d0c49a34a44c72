// Cuts a text into the words that BPE works on.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/regex.h"

namespace tapir::text {

// What becomes of the matches of a split pattern; names as in tokenizer.json.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

// One `Split`, or the pattern and the blank in front that `ByteLevel` brings.
struct SplitStep {
  std::vector<Regex> pattern;  // one or none
  SplitBehavior behavior = SplitBehavior::isolated;
  bool invert = false;  // the pattern describes what lies between the matches
  bool add_prefix_space =
      false;  // a piece that does not begin with a blank gets one, before the split
};

// Immutable; thread-safe.
class PreTokenizer {
 public:
  // The "pre_tokenizer" of a tokenizer.json. Error{data} naming `where` and the component that is
  // not supported.
  PreTokenizer(const Json& description, const std::string& where);

  // Appends the words of text, in order. They point into text, or into owned.
  void split(std::string_view text, std::vector<std::string_view>& words,
             std::deque<std::string>& owned) const;

 private:
  void add_component(const Json& description, const std::string& where);
  void add_split(const Json& description, const std::string& where);

  std::vector<SplitStep> steps_;
  bool byte_level_ = false;
};

}  // namespace tapir::text
