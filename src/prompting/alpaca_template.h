// The judge's template of a pair of outputs: a conversation with {instruction}, {output_1} and
// {output_2}, in the form of AlpacaEval's own file (<|im_start|>role ... <|im_end|>).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "records/message.h"

namespace tapir::prompting {

// Immutable; thread-safe.
class PairTemplate {
 public:
  // Error{data} naming `name` and what is wrong: no turn, text outside of turns, an unknown role, a
  // slot that is missing.
  static PairTemplate parse(std::string_view text, const std::string& name);
  // Ours, in our own words. Not the leaderboard's.
  static PairTemplate built_in();

  // Every turn with its white space trimmed at the ends. Slots are filled in one pass: one
  // inside an instruction or an output stays text.
  Messages render(std::string_view instruction, std::string_view first,
                  std::string_view second) const;

  // Its file's name, or "built in"; named in every table.
  const std::string& name() const { return name_; }
  // Digest of the text.
  const std::string& version() const { return version_; }

 private:
  std::string name_;
  std::string version_;
  Messages turns_;
};

}  // namespace tapir::prompting
