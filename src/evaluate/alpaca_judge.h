// AlpacaEval 2.0's way of asking a judge and reading it: which output is shown first, and what its
// first token says. Pure functions, the same bits as alpaca_eval 0.6.6 (processors.py,
// completion_parsers.py: logprob_parser, annotators/pairwise_evaluator.py). Throughout, output 1 is
// the baseline's and output 2 the evaluated model's; a preference is 1 for the first and 2 for the
// second.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "llm/chat_model.h"

namespace tapir::evaluate {

// The labels of the two outputs in the prompt, first shown first.
inline constexpr std::string_view kFirstLabel = "m";
inline constexpr std::string_view kSecondLabel = "M";

// Whether the judge is shown output 2 first. Drawn by the instruction alone, as upstream's seed 0
// draws it: Python's random.Random("is_switched_outputs" + instruction + "0").choices([False,
// True])[0].
bool is_switched(std::string_view instruction);

// random.Random(seed).random() of Python 3: the first draw from a text seed (version 2). [0, 1).
double python_random(std::string_view seed);

// What the judge prefers among the outputs as shown: 2 - p, where p is the probability of
// kFirstLabel among the two labels in the likeliest first tokens. Nothing when neither label is
// there.
std::optional<double> preference_of_tokens(std::span<const llm::TokenLogprob> first_tokens);

// The same of a judge that tells no log-probabilities: 1 or 2 by the label that its reply consists
// of; nothing when it is none.
std::optional<double> preference_of_letter(std::string_view reply);

// From the outputs as shown to output 1 and 2, and back.
inline double unswitched(double preference, bool switched) {
  return switched ? 3 - preference : preference;
}

}  // namespace tapir::evaluate
