// Reads the two scores of a judge. Strict first: the two labelled last lines that the prompt asks
// for, or two numbers alone on the first line. Then tolerant of dress: bold, "/10", other labels,
// remarks behind the number, more text after the scores. Labels decide, never the mere place of a
// number in the text.
#include <array>
#include <cstddef>

#include "base/strings.h"
#include "prompting/prompts.h"
#include "prompting/score_text.h"

namespace tapir::prompting {
namespace {

PairScores in_range(double a, double b) {
  return {a, b, on_scale(a) && on_scale(b) ? "" : "out_of_range", false};
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
  std::optional<Score> below;
  for (std::size_t i = lines.size(); i-- > 0;) {
    const std::string line = undressed(lines[i].substr(0, kLongestScoreLine));
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
  if (auto pair = last_labelled_pair(lines)) {
    pair->dressed = true;
    return *pair;
  }
  return {std::nullopt, std::nullopt, "unreadable", false};
}

}  // namespace tapir::prompting
