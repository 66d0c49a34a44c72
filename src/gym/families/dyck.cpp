#include <algorithm>
#include <array>

#include "base/error.h"
#include "gym/families/families.h"
#include "gym/families/grammar_words.h"

namespace tapir::gym {
namespace {

const Words kOpen = {"(", "[", "{", "<"};
const Words kClose = {")", "]", "}", ">"};
// Every bracket carries a letter, so that each closing one is found by looking its letter's
// neighbour up.
const Words kLetters = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l",
                        "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x"};

struct Setting {
  std::size_t open;   // brackets left open
  std::size_t pairs;  // brackets that are closed at once, in between
};
constexpr LevelSettings<Setting> kSettings = {
    {{3, 0}, {5, 1}, {7, 1}, {9, 2}, {11, 2}, {13, 3}, {15, 3}}};

struct Bracket {
  std::size_t letter;
  std::size_t kind;
  bool closed = false;  // "a( a)" in the prompt
  bool operator==(const Bracket&) const = default;
};

struct Problem {
  std::vector<Bracket> brackets;
};

std::string opening(const Bracket& bracket) {
  return kLetters[bracket.letter] + kOpen[bracket.kind];
}
std::string closing(const Bracket& bracket) {
  return kLetters[bracket.letter] + kClose[bracket.kind];
}

// The closing brackets in the order in which they are due.
Words due(const Problem& problem) {
  Words all;
  for (auto bracket = problem.brackets.rbegin(); bracket != problem.brackets.rend(); ++bracket) {
    if (!bracket->closed) all.push_back(closing(*bracket));
  }
  return all;
}

class Dyck final : public TypedFamily<Problem> {
 public:
  std::string_view name() const override { return "dyck"; }
  std::string_view task() const override { return "Complex Format"; }
  bool has_steps() const override { return false; }
  std::vector<std::string> level_table() const override {
    std::vector<std::string> rows;
    for (const Setting& setting : kSettings) {
      rows.push_back(std::to_string(setting.open) + " open brackets of 4 kinds, " +
                     std::to_string(setting.pairs) + " closed");
    }
    return rows;
  }

 protected:
  Problem draw(int level, RandomStream& stream) const override;
  std::string render(const Problem& problem) const override;
  std::optional<Problem> read(std::string_view prompt) const override;
  int level_of(const Problem& problem) const override;
  std::string canonical_of(const Problem& problem) const override { return render(problem); }
  std::string solve(const Problem& problem, Style) const override {
    return "# " + join(due(problem), " ");
  }
  Verdict grade(const Problem& problem, std::string_view response) const override;
  std::vector<Variant> vary(const Problem& problem, RandomStream& stream) const override;
};

Problem Dyck::draw(int level, RandomStream& stream) const {
  const Setting& setting = setting_of(kSettings, level);
  std::vector<std::size_t> letters(kLetters.size());
  for (std::size_t i = 0; i < letters.size(); ++i) letters[i] = i;
  stream.shuffle(letters);
  Problem problem;
  for (std::size_t i = 0; i < setting.open + setting.pairs; ++i) {
    problem.brackets.push_back({letters[i], stream.below(kOpen.size()), i < setting.pairs});
  }
  stream.shuffle(problem.brackets);
  return problem;
}

std::string Dyck::render(const Problem& problem) const {
  std::string text = "Close";
  for (const Bracket& bracket : problem.brackets) {
    text += " " + opening(bracket);
    if (bracket.closed) text += " " + closing(bracket);
  }
  return text;
}

std::optional<Problem> Dyck::read(std::string_view prompt) const {
  WordReader reader(prompt);
  Problem problem;
  std::vector<bool> used(kLetters.size(), false);
  if (!reader.take("Close")) return std::nullopt;
  while (!reader.done()) {
    const auto letter = reader.take_from(kLetters);
    if (!letter || used[*letter]) return std::nullopt;
    used[*letter] = true;
    const auto kind = reader.take_from(kOpen);
    if (!kind) return std::nullopt;
    const bool closed = reader.take({kLetters[*letter], kClose[*kind]});
    problem.brackets.push_back({*letter, *kind, closed});
  }
  if (level_of(problem) == 0 || trim(prompt) != render(problem)) return std::nullopt;
  return problem;
}

// 0 where no level has these settings.
int Dyck::level_of(const Problem& problem) const {
  const std::size_t open = due(problem).size();
  return level_where(kSettings, [&](const Setting& setting) {
    return open == setting.open && problem.brackets.size() == open + setting.pairs;
  });
}

Verdict Dyck::grade(const Problem& problem, std::string_view response) const {
  WordReader reader(response);
  Words given;
  reader.take("#");
  while (!reader.done()) {
    const auto letter = reader.take_from(kLetters);
    const auto kind = letter ? reader.take_from(kClose) : std::nullopt;
    if (!kind) return unreadable("Not a line of letters with closing brackets.");
    given.push_back(closing({*letter, *kind}));
  }
  if (given.empty()) return unreadable("No closing bracket.");
  const Words expected = due(problem);
  std::size_t prefix = 0;
  while (prefix < std::min(given.size(), expected.size()) && given[prefix] == expected[prefix]) {
    ++prefix;
  }
  const std::size_t all = std::max(given.size(), expected.size());
  if (prefix == all) return all_right();
  return wrong(static_cast<double>(prefix) / static_cast<double>(all),
               "The first " + std::to_string(prefix) + " of " + std::to_string(expected.size()) +
                   " closing brackets are right.");
}

std::vector<Variant> Dyck::vary(const Problem& problem, RandomStream& stream) const {
  const Words expected = due(problem);
  Words swapped = expected;
  const std::size_t at = stream.below(expected.size() - 1);
  std::swap(swapped[at], swapped[at + 1]);
  Words kind = expected;
  const std::size_t old = *index_of(kClose, kind.back().substr(1));
  kind.back().replace(1, 1, kClose[(old + 1 + stream.below(kClose.size() - 1)) % kClose.size()]);
  const std::string right = join(expected, " ");
  return {
      {"neighbours_swapped", 'C', "# " + join(swapped, " ")},
      {"last_kind_changed", 'C', "# " + join(kind, " ")},
      {"one_too_many", 'C', "# " + right + " " + expected.back()},
      {"last_missing", 'C', "# " + right.substr(0, right.size() - 3)},
      {"opening_bracket", 'F', "# " + right + " a("},
      {"only_the_mark", 'F', "#"},
      {"no_mark", 0, right},
      {"no_blanks", 0, "#" + replace_all(right, " ", "")},
  };
}

}  // namespace

const Family& dyck_family() {
  static const Dyck family;
  return family;
}

}  // namespace tapir::gym
