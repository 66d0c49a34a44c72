#include <algorithm>
#include <array>

#include "base/error.h"
#include "gym/families/families.h"
#include "gym/families/grammar_words.h"

namespace tapir::gym {
namespace {

// A clause is numeral, noun, verb, "its" or "their", thing. The numeral anchors the number, so
// every wrong form has one repair.
const Words kNumerals = {"one", "two", "three", "four", "five"};  // the first is the singular
constexpr std::size_t kForms = 3;  // noun, verb, possessive: what can be wrong
const std::array<Words, kForms> kSingular = {{
    {"dog", "cat", "bird", "horse", "duck", "fox", "bear", "mouse"},
    {"eats", "finds", "likes", "sees", "takes", "wants"},
    {"its"},
}};
const std::array<Words, kForms> kPlural = {{
    {"dogs", "cats", "birds", "horses", "ducks", "foxes", "bears", "mice"},
    {"eat", "find", "like", "see", "take", "want"},
    {"their"},
}};
const Words kThings = {"bread", "milk", "fish", "corn", "ball", "bed"};
constexpr std::size_t kWordsPerClause = 5;
constexpr std::size_t kMaxAnswerWords = 200;  // longer ones are no corrected sentence

struct Clause {
  std::size_t numeral = 0;
  std::array<std::size_t, kForms> words = {};
  std::array<bool, kForms> wrong = {};  // has the other number
  std::size_t thing = 0;
};

struct Problem {
  std::vector<Clause> clauses;
};

struct Setting {
  int min_clauses, max_clauses;
};
// Level n has n - 1 errors.
constexpr LevelSettings<Setting> kSettings = {
    {{1, 2}, {1, 2}, {2, 2}, {2, 3}, {2, 3}, {3, 3}, {3, 3}}};

std::size_t errors_in(const Problem& problem) {
  std::size_t errors = 0;
  for (const Clause& clause : problem.clauses) {
    errors += static_cast<std::size_t>(std::count(clause.wrong.begin(), clause.wrong.end(), true));
  }
  return errors;
}

std::string text_of(const Problem& problem, bool corrected) {
  Words parts;
  for (const Clause& clause : problem.clauses) {
    Words words = {kNumerals[clause.numeral]};
    for (std::size_t form = 0; form < kForms; ++form) {
      const bool singular = (clause.numeral == 0) != (clause.wrong[form] && !corrected);
      words.push_back((singular ? kSingular : kPlural)[form][clause.words[form]]);
    }
    words.push_back(kThings[clause.thing]);
    parts.push_back(join(words, " "));
  }
  return join(parts, ", ");
}

bool known_word(const std::string& word) {
  const auto in = [&](const std::array<Words, kForms>& forms) {
    return std::any_of(forms.begin(), forms.end(),
                       [&](const Words& words) { return index_of(words, word).has_value(); });
  };
  return word == "," || index_of(kNumerals, word) || index_of(kThings, word) || in(kSingular) ||
         in(kPlural);
}

// The student's edits, by the cheapest alignment of its words with those of the prompt.
struct Edits {
  std::size_t right = 0;     // an error replaced by its repair
  std::size_t spurious = 0;  // anything else that was changed, added or left out
};

using Costs = std::vector<std::vector<std::size_t>>;

// costs[i][j]: edits that turn the first i words of a into the first j of b.
Costs edit_costs(const Words& a, const Words& b) {
  Costs costs(a.size() + 1, std::vector<std::size_t>(b.size() + 1, 0));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        costs[i][j] = i + j;
        continue;
      }
      const std::size_t replaced = costs[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      costs[i][j] = std::min({replaced, costs[i - 1][j] + 1, costs[i][j - 1] + 1});
    }
  }
  return costs;
}

Edits count_edits(const Words& asked, const Words& corrected, const Words& given) {
  const Costs costs = edit_costs(asked, given);
  Edits edits;
  std::size_t i = asked.size();
  std::size_t j = given.size();
  while (i > 0 || j > 0) {
    const bool both = i > 0 && j > 0;
    if (both && asked[i - 1] == given[j - 1] && costs[i][j] == costs[i - 1][j - 1]) {
      --i, --j;
    } else if (both && costs[i][j] == costs[i - 1][j - 1] + 1) {
      --i, --j;
      const bool repair = given[j] == corrected[i] && asked[i] != corrected[i];
      ++(repair ? edits.right : edits.spurious);
    } else {
      ++edits.spurious;
      if (i > 0 && costs[i][j] == costs[i - 1][j] + 1) {
        --i;
      } else {
        --j;
      }
    }
  }
  return edits;
}

class Grammar final : public TypedFamily<Problem> {
 public:
  std::string_view name() const override { return "grammar"; }
  std::string_view task() const override { return "Grammar"; }
  bool has_steps() const override { return false; }
  std::vector<std::string> level_table() const override {
    std::vector<std::string> rows;
    for (std::size_t i = 0; i < kSettings.size(); ++i) {
      const Setting& setting = kSettings[i];
      std::string clauses = std::to_string(setting.min_clauses);
      if (setting.max_clauses > setting.min_clauses) {
        clauses += "-" + std::to_string(setting.max_clauses);
      }
      rows.push_back(std::to_string(i) + (i == 1 ? " error in " : " errors in ") + clauses +
                     (setting.max_clauses == 1 ? " clause" : " clauses"));
    }
    return rows;
  }

 protected:
  Problem draw(int level, RandomStream& stream) const override;
  std::string render(const Problem& problem) const override {
    return "Correct: " + text_of(problem, /*corrected=*/false);
  }
  std::optional<Problem> read(std::string_view prompt) const override;
  int level_of(const Problem& problem) const override;
  std::string canonical_of(const Problem& problem) const override { return render(problem); }
  std::string solve(const Problem& problem, Style) const override {
    return "# " + text_of(problem, /*corrected=*/true);
  }
  Verdict grade(const Problem& problem, std::string_view response) const override;
  std::vector<Variant> vary(const Problem& problem, RandomStream& stream) const override;
};

Problem Grammar::draw(int level, RandomStream& stream) const {
  const Setting& setting = setting_of(kSettings, level);
  Problem problem;
  problem.clauses.resize(
      static_cast<std::size_t>(stream.between(setting.min_clauses, setting.max_clauses)));
  for (Clause& clause : problem.clauses) {
    clause.numeral = stream.chance(0.4) ? 0 : 1 + stream.below(kNumerals.size() - 1);
    for (std::size_t form = 0; form < kForms; ++form) {
      clause.words[form] = stream.below(kSingular[form].size());
    }
    clause.thing = stream.below(kThings.size());
  }
  std::vector<std::size_t> places(problem.clauses.size() * kForms);
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
  stream.shuffle(places);
  for (std::size_t i = 0; i + 1 < static_cast<std::size_t>(level); ++i) {
    problem.clauses[places[i] / kForms].wrong[places[i] % kForms] = true;
  }
  return problem;
}

std::optional<Problem> Grammar::read(std::string_view prompt) const {
  WordReader reader(prompt);
  Problem problem;
  if (!reader.take({"Correct", ":"})) return std::nullopt;
  do {
    Clause clause;
    const auto numeral = reader.take_from(kNumerals);
    if (!numeral) return std::nullopt;
    clause.numeral = *numeral;
    for (std::size_t form = 0; form < kForms; ++form) {
      const auto singular = reader.take_from(kSingular[form]);
      const auto word = singular ? singular : reader.take_from(kPlural[form]);
      if (!word) return std::nullopt;
      clause.words[form] = *word;
      clause.wrong[form] = singular.has_value() != (clause.numeral == 0);
    }
    const auto thing = reader.take_from(kThings);
    if (!thing) return std::nullopt;
    clause.thing = *thing;
    problem.clauses.push_back(clause);
  } while (reader.take(","));
  if (level_of(problem) == 0 || trim(prompt) != render(problem)) return std::nullopt;
  return problem;
}

// 0 where no level has these settings.
int Grammar::level_of(const Problem& problem) const {
  const std::size_t errors = errors_in(problem);
  if (errors >= kSettings.size()) return 0;
  const int clauses = static_cast<int>(problem.clauses.size());
  const bool fits =
      clauses >= kSettings[errors].min_clauses && clauses <= kSettings[errors].max_clauses;
  return fits ? static_cast<int>(errors) + 1 : 0;
}

Verdict Grammar::grade(const Problem& problem, std::string_view response) const {
  WordReader reader(response);
  reader.take("#");
  const Words given = reader.rest();
  if (given.size() < kWordsPerClause || given.size() > kMaxAnswerWords ||
      !std::all_of(given.begin(), given.end(), known_word)) {
    return unreadable("Not a sentence of the words in use.");
  }
  const Words corrected = lex(text_of(problem, /*corrected=*/true));
  if (given == corrected) return all_right();
  const Words asked = lex(text_of(problem, /*corrected=*/false));
  const Edits edits = count_edits(asked, corrected, given);
  const std::size_t errors = errors_in(problem);
  const std::size_t good = edits.right > edits.spurious ? edits.right - edits.spurious : 0;
  const double partial = errors == 0 ? 0 : static_cast<double>(good) / static_cast<double>(errors);
  return wrong(partial, std::to_string(edits.right) + " of " + std::to_string(errors) +
                            " errors repaired, " + std::to_string(edits.spurious) +
                            " needless changes.");
}

std::vector<Variant> Grammar::vary(const Problem& problem, RandomStream& stream) const {
  const std::string right = text_of(problem, /*corrected=*/true);
  Problem flipped = problem;
  for (Clause& clause : flipped.clauses) clause.wrong = {};
  const std::size_t at = stream.below(flipped.clauses.size());
  flipped.clauses[at].wrong[stream.below(kForms)] = true;
  Problem thing = problem;
  thing.clauses[at].thing = (thing.clauses[at].thing + 1) % kThings.size();
  const std::string first_word = right.substr(0, right.find(' ') + 1);
  std::vector<Variant> all = {
      {"one_form_wrong", 'C', "# " + text_of(flipped, /*corrected=*/false)},
      {"thing_changed", 'C', "# " + text_of(thing, /*corrected=*/true)},
      {"word_left_out", 'C', "# " + right.substr(first_word.size()) + " ,"},
      {"word_doubled", 'C', "# " + first_word + right},
      {"unknown_word", 'F', "# " + right + " qwerty"},
      {"only_the_mark", 'F', "#"},
      {"no_mark", 0, right},
      {"more_white_space", 0, replace_all("# " + right, " ", "  ") + "\n"},
  };
  if (errors_in(problem) > 0) {
    all.push_back({"nothing_corrected", 'C', "# " + text_of(problem, /*corrected=*/false)});
  }
  return all;
}

}  // namespace

const Family& grammar_family() {
  static const Grammar family;
  return family;
}

}  // namespace tapir::gym
