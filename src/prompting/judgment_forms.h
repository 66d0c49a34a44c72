// Readers of judgments in the forms that others' judges write: one score, or a choice between two
// answers. Total, never throw. The pair form of our own judge is in prompts.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tapir::prompting {

struct Rating {
  std::optional<double> score;  // as read, also where it lies outside 1-10
  std::string failure;          // "unreadable", "out_of_range"; empty when the score counts
  bool ok() const { return failure.empty(); }
};

// "Rating: [[7]]", the last one where there are several; then the last line that says "Rating: 7",
// "Final rating: 7/10" or the like; then the one value of the text in double brackets. Never "the
// first number in the text": two values in brackets without a label are unreadable.
Rating read_rating(std::string_view reply);

// The rule of MT-Bench's own script, to the letter, so that its files mean the same here: the first
// [[x]] of the text, else the first [x]; x is digits, maybe with a decimal point.
Rating read_mtbench_rating(std::string_view reply);

enum class Choice { a, b, tie };
std::string_view to_string(Choice choice);  // "A", "B", "tie"

struct ReadChoice {
  std::optional<Choice> choice;
  std::string failure;  // "unreadable"; "ambiguous": different letters in brackets
  bool ok() const { return failure.empty(); }
};

// MT-Bench's pairwise form: [[A]], [[B]], or [[C]] for a tie.
ReadChoice read_choice(std::string_view reply);

// AlpacaEval's: the reply is one of the two labels and nothing else, case-sensitive: they are "m"
// (answer a) and "M" (answer b).
ReadChoice read_letter(std::string_view reply);

}  // namespace tapir::prompting
