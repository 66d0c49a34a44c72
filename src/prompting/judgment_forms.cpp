#include "prompting/judgment_forms.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <vector>

#include "base/strings.h"
#include "prompting/score_text.h"

namespace tapir::prompting {
namespace {

Rating rated(double score) { return {score, on_scale(score) ? "" : "out_of_range"}; }

// Digits, maybe with a decimal point in or behind them, at the start of text; text moves behind.
std::optional<double> take_unsigned(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && is_digit(text[length])) ++length;
  if (length == 0) return std::nullopt;
  const std::size_t whole = length;
  if (length < text.size() && text[length] == '.') {
    ++length;
    while (length < text.size() && is_digit(text[length])) ++length;
  }
  double value = 0;
  const std::size_t read = length == whole + 1 ? whole : length;  // "7." is 7
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + read, value, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + read) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

struct Bracketed {
  double value = 0;
  std::size_t at = 0;  // of the first bracket
};

// The next number between `open` and `close` at or behind `from`.
std::optional<Bracketed> next_bracketed(std::string_view text, std::size_t from,
                                        std::string_view open, std::string_view close) {
  for (std::size_t at = text.find(open, from); at != std::string_view::npos;
       at = text.find(open, at + 1)) {
    std::string_view rest = text.substr(at + open.size());
    const std::optional<double> value = take_unsigned(rest);
    if (value && rest.starts_with(close)) return Bracketed{*value, at};
  }
  return std::nullopt;
}

std::vector<Bracketed> all_double_bracketed(std::string_view text) {
  std::vector<Bracketed> found;
  for (auto one = next_bracketed(text, 0, "[[", "]]"); one;
       one = next_bracketed(text, one->at + 2, "[[", "]]")) {
    found.push_back(*one);
  }
  return found;
}

// Whether "Rating:" stands right before `at`.
bool is_labelled(std::string_view text, std::size_t at) {
  std::string_view before = text.substr(0, at);
  while (!before.empty() && (before.back() == ' ' || before.back() == '*')) before.remove_suffix(1);
  return before.ends_with("Rating:");
}

// "rating: 7", "final rating = 7/10": the last such line.
std::optional<double> last_rating_line(std::string_view reply) {
  constexpr std::array<std::string_view, 5> kLabels = {"rating", "final rating", "overall rating",
                                                       "my rating", "the rating"};
  const std::vector<std::string_view> lines = filled_lines(reply);
  for (std::size_t i = lines.size(); i-- > 0;) {
    const std::string line = undressed(lines[i].substr(0, kLongestScoreLine));
    const std::size_t separator = line.find_first_of(":=");
    if (separator == std::string::npos) continue;
    const std::string_view label = trim(std::string_view(line).substr(0, separator));
    bool known = false;
    for (const std::string_view one : kLabels) known = known || label == one;
    if (!known) continue;
    return tolerant_number(std::string_view(line).substr(separator + 1));
  }
  return std::nullopt;
}

}  // namespace

Rating read_rating(std::string_view reply) {
  const std::vector<Bracketed> found = all_double_bracketed(reply);
  for (std::size_t i = found.size(); i-- > 0;) {
    if (is_labelled(reply, found[i].at)) return rated(found[i].value);
  }
  if (const std::optional<double> score = last_rating_line(reply)) return rated(*score);
  bool one_value = !found.empty();
  for (const Bracketed& other : found) one_value = one_value && other.value == found.front().value;
  if (one_value) return rated(found.front().value);
  return {std::nullopt, "unreadable"};
}

Rating read_mtbench_rating(std::string_view reply) {
  if (const auto twice = next_bracketed(reply, 0, "[[", "]]")) return rated(twice->value);
  if (const auto once = next_bracketed(reply, 0, "[", "]")) return rated(once->value);
  return {std::nullopt, "unreadable"};
}

std::string_view to_string(Choice choice) {
  switch (choice) {
    case Choice::a:
      return "A";
    case Choice::b:
      return "B";
    case Choice::tie:
      return "tie";
  }
  return "tie";
}

ReadChoice read_choice(std::string_view reply) {
  ReadChoice read{std::nullopt, "unreadable"};
  for (const auto& [mark, choice] : {std::pair<std::string_view, Choice>{"[[A]]", Choice::a},
                                     {"[[B]]", Choice::b},
                                     {"[[C]]", Choice::tie}}) {
    if (reply.find(mark) == std::string_view::npos) continue;
    if (read.choice) return {std::nullopt, "ambiguous"};
    read = {choice, ""};
  }
  return read;
}

ReadChoice read_letter(std::string_view reply) {
  const std::string_view letter = trim(reply);
  if (letter == "m") return {Choice::a, ""};
  if (letter == "M") return {Choice::b, ""};
  return {std::nullopt, "unreadable"};
}

}  // namespace tapir::prompting
