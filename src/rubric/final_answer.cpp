#include "rubric/final_answer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "base/strings.h"
#include "rubric/expression.h"

namespace tapir::rubric {
namespace {

constexpr std::size_t kLongestAnswer = 200;
constexpr int kPoints = 3;  // at which expressions with variables are compared

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// ---- one answer without its dress ----

// Dollar signs of LaTeX and of money, stars, backquotes and full stops at the ends; \text{} opened.
std::string undressed(std::string_view answer) {
  std::string text(trim(answer));
  for (const std::string_view mark : {"\\$", "$", "\xE2\x82\xAC", "\xC2\xA3", "`", "**", "\\(",
                                      "\\)", "\\[", "\\]", "\\text", "\\%"}) {
    text = replace_all(text, mark, mark == "\\%" ? "%" : "");
  }
  std::string_view view = trim(text);
  while (!view.empty() && (view.back() == '.' || view.back() == '*' || view.back() == ','))
    view = trim(view.substr(0, view.size() - 1));
  while (!view.empty() && (view.front() == '*' || view.front() == ':' || view.front() == '='))
    view = trim(view.substr(1));
  return std::string(view);
}

// "B", "(b)", "B)", "B. twelve", "(B) twelve": the letter in upper case.
std::optional<char> choice_of(std::string_view answer) {
  bool bracket = false;
  if (answer.starts_with("(") || answer.starts_with("[")) {
    bracket = true;
    answer.remove_prefix(1);
  }
  if (answer.empty() || !is_letter(answer.front())) return std::nullopt;
  const char letter = answer.front();
  const char upper = letter >= 'a' ? static_cast<char>(letter - 'a' + 'A') : letter;
  if (upper > 'J' || (letter >= 'a' && !bracket)) return std::nullopt;
  answer.remove_prefix(1);
  const bool closed = answer.starts_with(")") || answer.starts_with("]");
  if (bracket) return closed ? std::optional(upper) : std::nullopt;
  const bool ends = answer.empty() || closed || answer.starts_with(". ") || answer.starts_with(":");
  return ends ? std::optional(upper) : std::nullopt;
}

// "x = 5" -> "5"; other equations stay.
std::string_view right_side(std::string_view answer) {
  const std::size_t equals = answer.find('=');
  if (equals == std::string_view::npos) return answer;
  const std::string_view left = trim(answer.substr(0, equals));
  const bool name = left.size() == 1 && is_letter(left.front());
  return name ? trim(answer.substr(equals + 1)) : answer;
}

// A number or an expression of numbers, maybe with a unit behind it.
std::optional<double> value_of(std::string_view answer) {
  answer = right_side(answer);
  if (const auto value = evaluate(answer)) return value;
  std::size_t end = answer.size();
  while (end > 0 && !is_digit(answer[end - 1]) && answer[end - 1] != ')' && answer[end - 1] != '}')
    --end;
  if (end == 0) return std::nullopt;
  // What is cut off is a unit: words, a percent or degree sign, not an operator.
  const std::string_view unit = answer.substr(end);
  if (unit.find_first_of("+*/^=(\\{") != std::string_view::npos) return std::nullopt;
  return evaluate(answer.substr(0, end));
}

bool close(double a, double b) {
  return std::abs(a - b) <= 1e-6 * std::max({1.0, std::abs(a), std::abs(b)});
}

std::string folded(std::string_view answer) {
  std::string out;
  for (const char c : lower_ascii(answer)) {
    if (is_letter(c) || is_digit(c) || (static_cast<unsigned char>(c) & 0x80) != 0) out += c;
  }
  return out;
}

// Of numbers and variables: "x+1".
bool is_expression(std::string_view answer) {
  return std::any_of(answer.begin(), answer.end(), is_digit) && evaluate(right_side(answer), 0);
}

bool same_expression(std::string_view a, std::string_view b) {
  for (int seed = 0; seed < kPoints; ++seed) {
    const auto at_a = evaluate(right_side(a), seed);
    const auto at_b = evaluate(right_side(b), seed);
    if (!at_a || !at_b || !close(*at_a, *at_b)) return false;
  }
  return true;
}

// ---- where a text states its answer ----

std::string_view line_from(std::string_view text, std::size_t at) {
  return trim(text.substr(at, std::min(text.find('\n', at) - at, kLongestAnswer)));
}

std::optional<std::string> behind_hashes(std::string_view text) {
  std::size_t at = std::string_view::npos;
  while ((at = text.rfind("####", at)) != std::string_view::npos) {
    const std::string_view line = line_from(text, at + 4);
    if (is_checkable(line)) return std::string(line);
    if (at == 0) break;
    --at;
  }
  return std::nullopt;
}

std::optional<std::string> in_box(std::string_view text) {
  constexpr std::string_view kBox = "\\boxed{";
  const std::size_t box = text.rfind(kBox);
  if (box == std::string_view::npos) return std::nullopt;
  const std::string_view inside = text.substr(box + kBox.size(), kLongestAnswer);
  int depth = 1;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    depth += inside[i] == '{' ? 1 : inside[i] == '}' ? -1 : 0;
    if (depth == 0) return std::string(trim(inside.substr(0, i)));
  }
  return std::nullopt;
}

std::optional<std::string> behind_phrase(std::string_view text) {
  const std::string lower = lower_ascii(text);
  std::size_t start = 0;
  for (const std::string_view phrase : {"answer is", "answer:", "answer =", "answer:**"}) {
    const std::size_t at = lower.rfind(phrase);
    if (at != std::string::npos) start = std::max(start, at + phrase.size());
  }
  if (start == 0) return std::nullopt;
  while (start < text.size() &&
         (text[start] == ':' || text[start] == '*' || text[start] == ' ' || text[start] == '\n'))
    ++start;
  std::string_view line = line_from(text, start);
  for (const std::string_view end : {". ", "; ", " because", " since", " which"})
    line = line.substr(0, line.find(end));
  line = trim(line);
  if (line.ends_with('.')) line = trim(line.substr(0, line.size() - 1));
  if (line.empty()) return std::nullopt;
  return std::string(line);
}

}  // namespace

bool is_checkable(std::string_view answer) {
  const std::string text = undressed(answer.substr(0, kLongestAnswer));
  return choice_of(text) || value_of(text);
}

std::optional<std::string> final_answer(std::string_view text) {
  if (auto answer = behind_hashes(text)) return answer;
  if (auto answer = in_box(text)) return answer;
  if (auto answer = behind_phrase(text)) return answer;
  const std::string_view whole = trim(text);
  if (whole.size() <= 40 && is_checkable(whole)) return std::string(whole);
  return std::nullopt;
}

std::optional<std::string> last_number(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0 && !is_digit(text[end - 1])) --end;
  if (end == 0) return std::nullopt;
  std::size_t start = end;
  while (start > 0 && (is_digit(text[start - 1]) || text[start - 1] == '.' ||
                       text[start - 1] == ',' || text[start - 1] == '/'))
    --start;
  while (start < end && !is_digit(text[start])) ++start;
  const bool minus = start > 0 && text[start - 1] == '-' &&
                     (start == 1 || text[start - 2] == ' ' || text[start - 2] == '$');
  return std::string(text.substr(minus ? start - 1 : start, end - start + (minus ? 1 : 0)));
}

bool same_answer(std::string_view a, std::string_view b) {
  const std::string left = undressed(a.substr(0, kLongestAnswer));
  const std::string right = undressed(b.substr(0, kLongestAnswer));
  const auto choice_a = choice_of(left);
  const auto choice_b = choice_of(right);
  if (choice_a && choice_b) return *choice_a == *choice_b;
  const auto value_a = value_of(left);
  const auto value_b = value_of(right);
  if (value_a && value_b) return close(*value_a, *value_b);
  if (same_expression(left, right)) return true;
  if (value_a || value_b) return false;  // "12" and "1 2" have the same digits
  if (is_expression(left) && is_expression(right)) return false;  // so have "x+1" and "x-1"
  const std::string words = folded(left);
  return !words.empty() && words == folded(right);
}

}  // namespace tapir::rubric
