// Lines of words as the language families read and write them: words, single digits and single
// marks; and their verdicts.
#pragma once

#include <string>
#include <utility>

#include "base/strings.h"
#include "gym/family.h"
#include "rubric/word_reader.h"

namespace tapir::gym {

// The reader of lines is the one that the checkers of lists use.
using rubric::index_of;
using rubric::lex;
using rubric::WordReader;
using rubric::Words;

inline Verdict unreadable(std::string words) { return {0, 0, 0, std::move(words)}; }
inline Verdict all_right() { return {1, 1, 1, "Nothing is wrong."}; }
// Of an answer without steps; partial in [0, 1].
inline Verdict wrong(double partial, std::string words) {
  return {0.2 * partial, 0.2 * partial, 1, std::move(words)};
}

}  // namespace tapir::gym
