#include "gym/families/chain.h"

#include <algorithm>

#include "base/strings.h"
#include "gym/families/scan.h"

namespace tapir::gym {
namespace {

constexpr char kMarker = '#';

std::string without_blanks(std::string_view text) {
  std::string out;
  for (const std::string& word : split_whitespace(text)) out += word;
  return out;
}

std::vector<std::string> split_steps(const Chain& chain, std::string_view text) {
  std::vector<std::string> steps;
  if (chain.separator != ' ') {
    for (const std::string& part : split(text, chain.separator)) {
      if (!trim(part).empty()) steps.push_back(part);
    }
    return steps;
  }
  for (const std::string& word : split_whitespace(text)) {
    if (steps.empty() || !chain.begins_step || chain.begins_step(word)) {
      steps.push_back(word);
    } else {
      steps.back() += " " + word;
    }
  }
  return steps;
}

struct Written {
  std::vector<std::string> steps;
  std::string result;
};

Written write_all(const Chain& chain) {
  Written out;
  std::string value = chain.start;
  for (std::size_t i = 0; i < chain.count; ++i) {
    out.steps.push_back(chain.step(i, value));
    value = chain.handed_on(out.steps.back(), value).value_or(value);
  }
  out.result = chain.result(value);
  return out;
}

std::string put_together(const Chain& chain, const Written& written) {
  std::string out;
  for (const std::string& step : written.steps) {
    out += step;
    out += chain.separator;
  }
  return out + kMarker + written.result;
}

// Steps that follow from the problem and from the student's own value before.
std::size_t valid_steps(const Chain& chain, const std::vector<std::string>& steps) {
  std::size_t valid = 0;
  std::string value = chain.start;
  for (std::size_t i = 0; i < std::min(chain.count, steps.size()); ++i) {
    const std::string expected = chain.step(i, value);
    if (without_blanks(steps[i]) == without_blanks(expected)) ++valid;
    auto next = chain.handed_on(steps[i], value);
    if (!next) next = chain.handed_on(expected, value);
    value = next.value_or(value);
  }
  return valid;
}

std::string explain(const Verdict& verdict, std::size_t valid, std::size_t steps,
                    std::string_view result, std::string_view expected) {
  if (verdict.format < 1) return "No result that can be read stands behind the mark #.";
  std::string words;
  if (!verdict.right()) {
    words =
        "The result " + std::string(result) + " is wrong, " + std::string(expected) + " is right";
  } else {
    words = "The result is right";
  }
  if (steps == 0) return words + ".";
  if (valid == steps) return words + (verdict.right() ? " and" : ", though") + " every step holds.";
  return words + (verdict.right() ? ", but " : ", and ") + std::to_string(steps - valid) + " of " +
         std::to_string(steps) + " steps do not hold.";
}

}  // namespace

std::string solve_chain(const Chain& chain, Style style) {
  Written written = write_all(chain);
  if (style != Style::steps) written.steps.clear();
  return put_together(chain, written);
}

Verdict grade_chain(const Chain& chain, std::string_view response) {
  const std::string expected = write_all(chain).result;
  const std::size_t marker = response.rfind(kMarker);
  const std::string result =
      marker == std::string_view::npos ? "" : without_blanks(response.substr(marker + 1));
  const std::vector<std::string> steps = split_steps(chain, response.substr(0, marker));

  Verdict verdict;
  verdict.format = chain.is_result(result) ? 1 : 0;
  if (verdict.format > 0) {
    const bool right = result == expected;
    verdict.correct = right ? 1 : chain.partial ? 0.2 * chain.partial(result, expected) : 0;
  }
  const std::size_t valid = valid_steps(chain, steps);
  const std::size_t due = std::max(chain.count, steps.size());
  verdict.steps = steps.empty() ? verdict.correct
                                : static_cast<double>(valid) /
                                      static_cast<double>(std::max<std::size_t>(due, 1));
  verdict.words = explain(verdict, valid, steps.empty() ? 0 : due, result, expected);
  return verdict;
}

std::vector<Variant> vary_chain(const Chain& chain, RandomStream& stream) {
  const Written good = write_all(chain);
  std::vector<Variant> out;
  const auto add = [&](std::string name, char breaks, const Written& written) {
    out.push_back({std::move(name), breaks, put_together(chain, written)});
  };
  Written changed = good;
  changed.result.back() = other_character(changed.result.back(), stream);
  add("result_changed", 'C', changed);
  changed.steps.clear();
  add("terse_result_changed", 'C', changed);

  changed = good;
  std::string& step = changed.steps[stream.below(changed.steps.size())];
  step.back() = other_character(step.back(), stream);
  add("step_changed", 'S', changed);
  if (good.steps.size() > 1) {
    changed = good;
    changed.steps.erase(changed.steps.begin() +
                        static_cast<std::ptrdiff_t>(stream.below(good.steps.size())));
    add("step_dropped", 'S', changed);
  }
  changed = good;
  changed.steps.push_back(good.steps.back());
  add("step_repeated", 'S', changed);

  const std::string text = put_together(chain, good);
  out.push_back({"marker_dropped", 'F', replace_all(text, std::string(1, kMarker), "")});
  out.push_back({"result_missing", 'F', text.substr(0, text.find(kMarker) + 1)});
  out.push_back({"words_only", 'F', "I do not know."});

  changed = good;
  changed.steps.clear();
  add("answer_only", 0, changed);
  out.push_back({"blanks_added", 0,
                 "  " +
                     replace_all(text, std::string(1, chain.separator),
                                 std::string(1, chain.separator) + "  ") +
                     "\n"});
  return out;
}

char other_character(char c, RandomStream& stream) {
  if (c == 'T') return 'F';
  if (c == 'F') return 'T';
  if (is_digit(c)) return static_cast<char>('0' + (c - '0' + stream.between(1, 9)) % 10);
  if (is_lower(c)) return static_cast<char>('a' + (c - 'a' + stream.between(1, 25)) % 26);
  return '?';
}

double digits_from_right(std::string_view text, std::string_view expected) {
  const std::size_t longer = std::max(text.size(), expected.size());
  std::size_t equal = 0;
  while (equal < std::min(text.size(), expected.size()) &&
         text[text.size() - 1 - equal] == expected[expected.size() - 1 - equal]) {
    ++equal;
  }
  return longer == 0 ? 0 : static_cast<double>(equal) / static_cast<double>(longer);
}

}  // namespace tapir::gym
