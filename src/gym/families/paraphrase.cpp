#include <algorithm>
#include <array>

#include "base/error.h"
#include "gym/families/families.h"
#include "gym/families/kb_world.h"

namespace tapir::gym {
namespace {

const Words kActive = {"helps", "calls", "sees", "finds", "likes", "follows", "paints", "knows"};
const Words kPassive = {"helped", "called",   "seen",    "found",
                        "liked",  "followed", "painted", "known"};
const Words kAdverbs = {"often", "now", "today", "again", "soon", "here"};

struct Setting {
  std::size_t clauses;
  bool adverbs;  // one in every clause, at its front or end
};
constexpr LevelSettings<Setting> kSettings = {
    {{1, false}, {1, true}, {2, false}, {2, true}, {3, true}, {4, true}, {5, true}}};

enum class Voice { active, passive, cleft };

// What is said: agent, verb, object and perhaps an adverb. How: the voice and the place of the
// adverb.
struct Clause {
  std::size_t agent = 0;
  std::size_t verb = 0;
  std::size_t object = 0;
  std::optional<std::size_t> adverb;
  Voice voice = Voice::active;
  bool adverb_first = false;
  bool operator==(const Clause&) const = default;
};

struct Problem {
  std::vector<Clause> clauses;
};

std::string clause_text(const Clause& clause) {
  const std::string& agent = kb_people()[clause.agent];
  const std::string& object = kb_people()[clause.object];
  std::string core;
  switch (clause.voice) {
    case Voice::active:
      core = agent + " " + kActive[clause.verb] + " " + object;
      break;
    case Voice::passive:
      core = object + " is " + kPassive[clause.verb] + " by " + agent;
      break;
    case Voice::cleft:
      core = "it is " + agent + " who " + kActive[clause.verb] + " " + object;
      break;
  }
  if (!clause.adverb) return core;
  const std::string& adverb = kAdverbs[*clause.adverb];
  return clause.adverb_first ? adverb + " " + core : core + " " + adverb;
}

std::string text_of(const std::vector<Clause>& clauses) {
  Words parts;
  for (const Clause& clause : clauses) parts.push_back(clause_text(clause));
  return join(parts, ", ");
}

// The core of a clause, without its adverb.
std::optional<Clause> read_core(WordReader& reader) {
  Clause clause;
  const bool cleft = reader.take({"it", "is"});
  const auto first = reader.take_from(kb_people());
  if (!first || (cleft && !reader.take("who"))) return std::nullopt;
  const bool passive = !cleft && reader.take("is");
  const auto verb = reader.take_from(passive ? kPassive : kActive);
  if (!verb || (passive && !reader.take("by"))) return std::nullopt;
  const auto second = reader.take_from(kb_people());
  if (!second || *first == *second) return std::nullopt;
  clause.voice = cleft ? Voice::cleft : passive ? Voice::passive : Voice::active;
  clause.agent = passive ? *second : *first;
  clause.object = passive ? *first : *second;
  clause.verb = *verb;
  return clause;
}

// The clauses up to the end of the line. The grammar is unambiguous: one text, one reading.
std::optional<std::vector<Clause>> read_clauses(WordReader& reader) {
  std::vector<Clause> clauses;
  do {
    const auto front = reader.take_from(kAdverbs);
    auto clause = read_core(reader);
    if (!clause) return std::nullopt;
    clause->adverb_first = front.has_value();
    clause->adverb = front ? front : reader.take_from(kAdverbs);
    clauses.push_back(*clause);
  } while (reader.take(","));
  if (!reader.done()) return std::nullopt;
  return clauses;
}

// One form stands for all that mean the same.
std::vector<Clause> meaning(std::vector<Clause> clauses) {
  for (Clause& clause : clauses) {
    clause.voice = Voice::active;
    clause.adverb_first = false;
  }
  return clauses;
}

// The teacher's way: passive for active and the other way round, active for the cleft form; adverbs
// stay.
std::vector<Clause> other_form(std::vector<Clause> clauses) {
  for (Clause& clause : clauses) {
    clause.voice = clause.voice == Voice::active ? Voice::passive : Voice::active;
  }
  return clauses;
}

// Facts of the meaning that are kept, over the larger number of clauses.
double kept(const std::vector<Clause>& given, const std::vector<Clause>& asked) {
  std::size_t same = 0;
  for (std::size_t i = 0; i < std::min(given.size(), asked.size()); ++i) {
    same += (given[i].agent == asked[i].agent) + (given[i].verb == asked[i].verb) +
            (given[i].object == asked[i].object) + (given[i].adverb == asked[i].adverb);
  }
  return static_cast<double>(same) / static_cast<double>(4 * std::max(given.size(), asked.size()));
}

class Paraphrase final : public TypedFamily<Problem> {
 public:
  std::string_view name() const override { return "paraphrase"; }
  std::string_view task() const override { return "Paraphrase"; }
  bool has_steps() const override { return false; }
  std::vector<std::string> level_table() const override {
    std::vector<std::string> rows;
    for (const Setting& setting : kSettings) {
      rows.push_back(std::to_string(setting.clauses) +
                     (setting.clauses == 1 ? " clause" : " clauses") +
                     (setting.adverbs ? ", an adverb in each" : ", no adverb"));
    }
    return rows;
  }

 protected:
  Problem draw(int level, RandomStream& stream) const override;
  std::string render(const Problem& problem) const override {
    return "Rephrase: " + text_of(problem.clauses);
  }
  std::optional<Problem> read(std::string_view prompt) const override;
  int level_of(const Problem& problem) const override;
  std::string canonical_of(const Problem& problem) const override {
    return text_of(meaning(problem.clauses));
  }
  std::string solve(const Problem& problem, Style) const override {
    return "# " + text_of(other_form(problem.clauses));
  }
  Verdict grade(const Problem& problem, std::string_view response) const override;
  std::vector<Variant> vary(const Problem& problem, RandomStream& stream) const override;
};

Problem Paraphrase::draw(int level, RandomStream& stream) const {
  const Setting& setting = setting_of(kSettings, level);
  const std::size_t people = kb_people().size();
  Problem problem;
  for (std::size_t i = 0; i < setting.clauses; ++i) {
    Clause clause;
    clause.agent = stream.below(people);
    clause.object = (clause.agent + 1 + stream.below(people - 1)) % people;
    clause.verb = stream.below(kActive.size());
    clause.voice = static_cast<Voice>(stream.below(3));
    if (setting.adverbs) {
      clause.adverb = stream.below(kAdverbs.size());
      clause.adverb_first = stream.chance(0.5);
    }
    problem.clauses.push_back(clause);
  }
  return problem;
}

std::optional<Problem> Paraphrase::read(std::string_view prompt) const {
  WordReader reader(prompt);
  if (!reader.take({"Rephrase", ":"})) return std::nullopt;
  auto clauses = read_clauses(reader);
  if (!clauses) return std::nullopt;
  Problem problem{std::move(*clauses)};
  if (level_of(problem) == 0 || trim(prompt) != render(problem)) return std::nullopt;
  return problem;
}

// 0 where no level has these settings.
int Paraphrase::level_of(const Problem& problem) const {
  const std::vector<Clause>& clauses = problem.clauses;
  const auto adverbs = static_cast<std::size_t>(std::count_if(
      clauses.begin(), clauses.end(), [](const Clause& c) { return c.adverb.has_value(); }));
  return level_where(kSettings, [&](const Setting& setting) {
    const std::size_t due = setting.adverbs ? setting.clauses : 0;
    return clauses.size() == setting.clauses && adverbs == due;
  });
}

Verdict Paraphrase::grade(const Problem& problem, std::string_view response) const {
  WordReader reader(response);
  reader.take("#");
  const auto given = read_clauses(reader);
  if (!given) return unreadable("Not a sentence of this grammar.");
  if (*given == problem.clauses) return wrong(0, "A copy of the sentence, not a paraphrase.");
  const std::vector<Clause> said = meaning(*given);
  const std::vector<Clause> asked = meaning(problem.clauses);
  if (said == asked) return all_right();
  return wrong(kept(said, asked), "The meaning is not the same.");
}

std::vector<Variant> Paraphrase::vary(const Problem& problem, RandomStream& stream) const {
  const std::vector<Clause> right = other_form(problem.clauses);
  const std::size_t at = stream.below(right.size());
  const std::string text = text_of(right);
  std::vector<Clause> roles = right;
  std::swap(roles[at].agent, roles[at].object);
  std::vector<Clause> verb = right;
  verb[at].verb = (verb[at].verb + 1 + stream.below(kActive.size() - 1)) % kActive.size();
  std::vector<Clause> longer = right;
  longer.push_back(right[0]);
  std::vector<Clause> cleft = problem.clauses;
  cleft[at].voice =
      cleft[at].voice == Voice::cleft ? Voice::passive : Voice::cleft;  // one clause is enough
  return {
      {"copy", 'C', "# " + text_of(problem.clauses)},
      {"roles_swapped", 'C', "# " + text_of(roles)},
      {"verb_changed", 'C', "# " + text_of(verb)},
      {"clause_repeated", 'C', "# " + text_of(longer)},
      {"clause_missing_after_comma", 'F', "# " + text + ","},
      {"unknown_word", 'F', "# " + text + " qwerty"},
      {"other_voice_in_one_clause", 0, "# " + text_of(cleft)},
      {"no_mark", 0, text},
      {"more_white_space", 0, replace_all("# " + text, " ", "  ") + "\n"},
  };
}

}  // namespace

const Family& paraphrase_family() {
  static const Paraphrase family;
  return family;
}

}  // namespace tapir::gym
