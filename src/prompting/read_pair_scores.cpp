// Reads the two scores of a judge. Strict first: the two labelled last lines that the prompt asks
// for, or two numbers alone on the first line. Then tolerant of dress: bold, "/10", other labels,
// remarks behind the number, more text after the scores. Labels decide, never the mere place of a
// number in the text.
#include <array>
#include <charconv>
#include <cstddef>

#include "base/strings.h"
#include "prompting/prompts.h"

namespace tapir::prompting {
namespace {

constexpr double kLowest = 1;
constexpr double kHighest = 10;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

// A decimal number at the start of text, without exponent; text moves behind it.
std::optional<double> take_number(std::string_view& text) {
  std::size_t length = !text.empty() && text.front() == '-' ? 1 : 0;
  const std::size_t first_digit = length;
  while (length < text.size() && is_digit(text[length])) ++length;
  if (length == first_digit) return std::nullopt;
  if (length + 1 < text.size() && text[length] == '.' && is_digit(text[length + 1])) {
    ++length;
    while (length < text.size() && is_digit(text[length])) ++length;
  }
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + length, value, std::chars_format::fixed);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool take_word(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

void skip_space(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
}

PairScores in_range(double a, double b) {
  const auto inside = [](double score) { return score >= kLowest && score <= kHighest; };
  return {a, b, inside(a) && inside(b) ? "" : "out_of_range"};
}

std::vector<std::string_view> filled_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    if (!line.empty()) lines.push_back(line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

// ---- strict ----

// "Score A: 7" and nothing else.
std::optional<double> strict_score(std::string_view line, std::string_view label) {
  if (!take_word(line, label)) return std::nullopt;
  skip_space(line);
  const std::optional<double> score = take_number(line);
  return line.empty() ? score : std::nullopt;
}

// "7 8.5" or "7, 8.5" and nothing else.
std::optional<PairScores> two_numbers(std::string_view line) {
  const std::optional<double> a = take_number(line);
  if (!a || line.empty()) return std::nullopt;
  const bool comma = take_word(line, ",");
  if (!comma && line.front() != ' ' && line.front() != '\t') return std::nullopt;
  skip_space(line);
  const std::optional<double> b = take_number(line);
  if (!b || !line.empty()) return std::nullopt;
  return in_range(*a, *b);
}

// ---- tolerant ----

// Without markup that only changes looks: stars, underscores, backquotes, hashes, quotation marks,
// carets of quotes, and a bullet at the start; fullwidth colons and brackets become plain ones.
std::string undressed(std::string_view line) {
  std::string text = replace_all(std::string(line), "\xEF\xBC\x9A", ":");
  text = replace_all(text, "\xEF\xBC\x88", "(");
  text = replace_all(text, "\xEF\xBC\x89", ")");
  std::string out;
  for (const char c : text) {
    if (c != '*' && c != '_' && c != '`' && c != '#' && c != '"' && c != '[' && c != ']') out += c;
  }
  std::string_view view = trim(out);
  if (view.starts_with("- ") || view.starts_with("> ")) view = trim(view.substr(2));
  return lower_ascii(view);
}

// "score a", "answer 1", "assistant 2's score", "score of answer b", "score for assistant 1", "a":
// which answer it names, 0 or 1; -1 when it is no such label.
int labelled_side(std::string_view label) {
  constexpr std::array<std::string_view, 11> kFiller = {
      "the", "final",  "overall",   "score",    "rating", "of",
      "for", "answer", "assistant", "response", "model"};
  int side = -1;
  bool bare = true;  // a bare "1" or "2" is rather part of a calculation or a list
  for (std::string word : split_whitespace(label)) {
    if (word.ends_with("'s")) word.resize(word.size() - 2);
    bool filler = false;
    for (const std::string_view one : kFiller) filler = filler || word == one;
    bare = bare && !filler;
    if (filler) continue;
    const int named = word == "a" || word == "1" ? 0 : word == "b" || word == "2" ? 1 : -1;
    if (named < 0 || side >= 0) return -1;
    if (word == "a" || word == "b") bare = false;
    side = named;
  }
  return bare ? -1 : side;
}

struct Score {
  int side = -1;
  double value = 0;
};

// Takes "7", "7/10", "7 out of 10", and a remark that is set off ("(wrong)", "- wrong", ", wrong").
// Nothing when the number goes on as a calculation or a sentence ("10 - 2", "10 units").
std::optional<double> tolerant_number(std::string_view text) {
  skip_space(text);
  const std::optional<double> value = take_number(text);
  if (!value) return std::nullopt;
  if (!text.empty() && is_alphanumeric(text.front()) && !text.starts_with("\xE2\x80\x94") &&
      !text.starts_with("\xE2\x80\x93")) {
    return std::nullopt;
  }
  skip_space(text);
  for (const std::string_view scale : {"/10", "/ 10", "out of 10"}) {
    std::string_view rest = text;
    if (take_word(rest, scale) && (rest.empty() || !is_alphanumeric(rest.front()))) {
      text = rest;
      break;
    }
  }
  skip_space(text);
  if (text.empty()) return value;
  for (const std::string_view mark : {"(", "-", "\xE2\x80\x94", "\xE2\x80\x93", ",", ";", "."}) {
    if (!take_word(text, mark)) continue;
    skip_space(text);
    const bool calculation = mark != "(" && !text.empty() && is_digit(text.front());
    return calculation ? std::nullopt : value;
  }
  return std::nullopt;
}

std::optional<Score> tolerant_score(const std::string& line) {
  const std::size_t separator = line.find_first_of(":=");
  if (separator > 60) return std::nullopt;  // npos too
  const int side = labelled_side(std::string_view(line).substr(0, separator));
  if (side < 0) return std::nullopt;
  const std::optional<double> value = tolerant_number(std::string_view(line).substr(separator + 1));
  if (!value) return std::nullopt;
  return Score{side, *value};
}

// Both on one line: "Score A: 7, Score B: 8". The second label starts behind the first number.
std::optional<PairScores> both_on_line(const std::string& line) {
  for (const std::string_view gap : {",", ";", "|", " and ", " / ", " "}) {
    std::size_t at = 0;
    while ((at = line.find(gap, at)) != std::string::npos) {
      const std::optional<Score> a = tolerant_score(std::string(trim(line.substr(0, at))));
      const std::optional<Score> b =
          tolerant_score(std::string(trim(line.substr(at + gap.size()))));
      if (a && b && a->side == 0 && b->side == 1) return in_range(a->value, b->value);
      at += gap.size();
    }
  }
  return std::nullopt;
}

// The last two neighbouring lines that are labelled A and B; a line with both counts as such a
// pair.
std::optional<PairScores> last_labelled_pair(const std::vector<std::string_view>& lines) {
  constexpr std::size_t kLongestLine = 200;  // a score line is short; remarks behind it are cut off
  std::optional<Score> below;
  for (std::size_t i = lines.size(); i-- > 0;) {
    const std::string line = undressed(lines[i].substr(0, kLongestLine));
    const std::optional<Score> here = tolerant_score(line);
    if (here && here->side == 0 && below && below->side == 1) {
      return in_range(here->value, below->value);
    }
    if (auto both = both_on_line(line)) return both;
    below = here;
  }
  return std::nullopt;
}

}  // namespace

PairScores read_pair_scores(std::string_view reply) {
  const std::vector<std::string_view> lines = filled_lines(reply);
  if (lines.size() >= 2) {
    const auto a = strict_score(lines[lines.size() - 2], "Score A:");
    const auto b = strict_score(lines[lines.size() - 1], "Score B:");
    if (a && b) return in_range(*a, *b);
  }
  if (!lines.empty()) {
    if (const auto pair = two_numbers(lines.front())) return *pair;
  }
  if (const auto pair = last_labelled_pair(lines)) return *pair;
  return {std::nullopt, std::nullopt, "unreadable"};
}

}  // namespace tapir::prompting
