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

// What stands before a number.
struct Label {
  int side = -1;       // which answer it names, 0 or 1; -1: it is no such label
  bool score = false;  // it says that a score follows
  // So does the name of whom the judges of others grade. "Answer A: 3" and "A: 3" may as well be
  // what an answer says, or a choice that the instruction offers: they count at the reply's end.
  bool clear = false;
};

// "score a", "answer 1", "assistant 2's score", "score of answer b", "score for assistant 1", "a".
Label read_label_of(std::string_view text) {
  constexpr std::array<std::string_view, 11> kFiller = {
      "the", "final",  "overall",   "score",    "rating", "of",
      "for", "answer", "assistant", "response", "model"};
  Label label;
  bool bare = true;  // a bare "1" or "2" is rather part of a calculation or a list
  for (std::string word : split_whitespace(text)) {
    if (word.ends_with("'s")) word.resize(word.size() - 2);
    bool filler = false;
    for (const std::string_view one : kFiller) filler = filler || word == one;
    bare = bare && !filler;
    label.score = label.score || word == "score" || word == "rating";
    label.clear = label.clear || label.score || word == "assistant" || word == "model";
    if (filler) continue;
    const int named = word == "a" || word == "1" ? 0 : word == "b" || word == "2" ? 1 : -1;
    if (named < 0 || label.side >= 0) return {};
    if (word == "a" || word == "b") bare = false;
    label.side = named;
  }
  return bare ? Label{} : label;
}

struct Score {
  Label label;
  double value = 0;
};

// Two scores, and the weaker of their labels.
struct LabelledPair {
  PairScores scores;
  bool score = false;
  bool clear = false;
};
LabelledPair pair_of(const Score& a, const Score& b) {
  return {in_range(a.value, b.value), a.label.score && b.label.score,
          a.label.clear && b.label.clear};
}

std::optional<Score> tolerant_score(const std::string& line) {
  const std::size_t separator = line.find_first_of(":=");
  if (separator > 60) return std::nullopt;  // npos too
  const Label label = read_label_of(std::string_view(line).substr(0, separator));
  if (label.side < 0) return std::nullopt;
  const std::optional<double> value = tolerant_number(std::string_view(line).substr(separator + 1));
  if (!value) return std::nullopt;
  return Score{label, *value};
}

// Both on one line: "Score A: 7, Score B: 8". The second label starts behind the first number.
std::optional<LabelledPair> both_on_line(const std::string& line) {
  for (const std::string_view gap : {",", ";", "|", " and ", " / ", " "}) {
    std::size_t at = 0;
    while ((at = line.find(gap, at)) != std::string::npos) {
      const std::optional<Score> a = tolerant_score(std::string(trim(line.substr(0, at))));
      const std::optional<Score> b =
          tolerant_score(std::string(trim(line.substr(at + gap.size()))));
      if (a && b && a->label.side == 0 && b->label.side == 1) return pair_of(*a, *b);
      at += gap.size();
    }
  }
  return std::nullopt;
}

// The pair that lines i and i + 1 hold, or line i alone.
std::optional<LabelledPair> pair_at(const std::vector<std::string>& lines, std::size_t i) {
  if (auto both = both_on_line(lines[i])) return both;
  if (i + 1 == lines.size()) return std::nullopt;
  const std::optional<Score> a = tolerant_score(lines[i]);
  const std::optional<Score> b = tolerant_score(lines[i + 1]);
  if (a && b && a->label.side == 0 && b->label.side == 1) return pair_of(*a, *b);
  return std::nullopt;
}

// Line i is the last one, or the last but one and no pair by itself.
std::optional<LabelledPair> pair_at_end(const std::vector<std::string>& lines) {
  if (lines.empty()) return std::nullopt;
  if (auto both = both_on_line(lines.back())) return both;
  if (lines.size() < 2 || both_on_line(lines[lines.size() - 2])) return std::nullopt;
  return pair_at(lines, lines.size() - 2);
}

std::optional<LabelledPair> last_clear_pair(const std::vector<std::string>& lines) {
  for (std::size_t i = lines.size(); i-- > 0;) {
    auto pair = pair_at(lines, i);
    if (pair && pair->clear) return pair;
  }
  return std::nullopt;
}

PairScores dressed(const LabelledPair& pair) {
  PairScores scores = pair.scores;
  scores.dressed = true;
  return scores;
}

}  // namespace

PairScores read_pair_scores(std::string_view reply) {
  const std::vector<std::string_view> lines = filled_lines(reply);
  if (lines.size() >= 2) {
    const auto a = strict_score(lines[lines.size() - 2], "Score A:");
    const auto b = strict_score(lines[lines.size() - 1], "Score B:");
    if (a && b) return in_range(*a, *b);
  }
  std::vector<std::string> plain;
  for (const std::string_view line : lines)
    plain.push_back(undressed(line.substr(0, kLongestScoreLine)));
  const std::optional<LabelledPair> at_end = pair_at_end(plain);
  if (at_end && at_end->score) return dressed(*at_end);
  if (!lines.empty()) {
    if (const auto pair = two_numbers(lines.front())) return *pair;
  }
  if (at_end) return dressed(*at_end);
  if (const auto pair = last_clear_pair(plain)) return dressed(*pair);
  return {std::nullopt, std::nullopt, "unreadable", false};
}

}  // namespace tapir::prompting
