// Answers in steps, as most families of the gym have them: every step is a function of the problem
// and of the value that the step before handed on; then "#" and the result. The terse answer is the
// result alone.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gym/family.h"

namespace tapir::gym {

struct Chain {
  std::size_t count = 0;  // of steps
  std::string start;      // the value before the first step
  char separator = ' ';   // between steps
  // Only where a step has blanks inside: does this word begin a new step?
  std::function<bool(std::string_view word)> begins_step;
  // The text of step i, given the value that step i - 1 handed on.
  std::function<std::string(std::size_t i, const std::string& value)> step;
  // What a step, as written, hands on; nothing when it cannot be read. `value` is what it was
  // handed.
  std::function<std::optional<std::string>(std::string_view text, const std::string& value)>
      handed_on;
  std::function<std::string(const std::string& value)> result;  // from the last value
  std::function<bool(std::string_view text)> is_result;         // well-formed, right or wrong
  // Credit in [0, 1] for a wrong result; none: 0.
  std::function<double(std::string_view text, std::string_view expected)> partial;
};

std::string solve_chain(const Chain& chain, Style style);
Verdict grade_chain(const Chain& chain, std::string_view response);
std::vector<Variant> vary_chain(const Chain& chain, RandomStream& stream);

// Another character of the same kind (digit, T or F, small letter), so that a damaged text stays
// well-formed.
char other_character(char c, RandomStream& stream);

// Digits equal from the right up to the first difference, over the longer length.
double digits_from_right(std::string_view text, std::string_view expected);

}  // namespace tapir::gym
