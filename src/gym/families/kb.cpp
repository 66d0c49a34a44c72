#include <array>

#include "base/error.h"
#include "gym/families/families.h"
#include "gym/families/kb_world.h"

namespace tapir::gym {
namespace {

constexpr std::size_t kPeople = 30;
constexpr std::size_t kRelations = 3;

struct Setting {
  std::size_t hops;
  std::size_t distractors;
};
constexpr LevelSettings<Setting> kSettings = {
    {{1, 0}, {2, 0}, {3, 0}, {3, 1}, {3, 2}, {4, 1}, {5, 1}}};

using World = std::array<std::array<std::size_t, kPeople>, kRelations>;

// Each relation is a permutation without fixed points, so every person is an answer equally often.
World make_world() {
  World world;
  for (std::size_t relation = 0; relation < kRelations; ++relation) {
    RandomStream stream(15, "gym.kb.world", kb_relations()[relation]);
    std::vector<std::size_t> order(kPeople);
    for (std::size_t i = 0; i < kPeople; ++i) order[i] = i;
    stream.shuffle(order);
    for (std::size_t i = 0; i < kPeople; ++i) world[relation][order[i]] = order[(i + 1) % kPeople];
  }
  return world;
}

struct Mention {
  std::size_t person;
  std::size_t relation;
  bool operator==(const Mention&) const = default;
};

struct Problem {
  std::size_t start = 0;
  std::vector<std::size_t> path;     // relations, in the order to follow
  std::vector<Mention> distractors;  // "not X's R": changes nothing
};

std::vector<std::size_t> chain(const Problem& problem) {
  std::vector<std::size_t> people;
  std::size_t now = problem.start;
  for (const std::size_t relation : problem.path) people.push_back(now = kb_fact(now, relation));
  return people;
}

std::string written_chain(std::size_t start, const std::vector<Mention>& steps) {
  std::string text = "from " + kb_people()[start];
  for (const Mention& step : steps) {
    text += ", " + kb_relations()[step.relation] + " " + kb_people()[step.person];
  }
  return text;
}

// What an answer says.
struct Answer {
  bool has_chain = false;
  std::size_t start = 0;
  std::vector<Mention> steps;  // the relation followed and whom it led to
  std::size_t result = 0;
};

std::optional<Answer> read_answer(std::string_view text) {
  WordReader reader(text);
  Answer answer;
  if (reader.take("from")) {
    answer.has_chain = true;
    const auto start = reader.take_from(kb_people());
    if (!start) return std::nullopt;
    answer.start = *start;
    while (reader.take(",")) {
      const auto relation = reader.take_from(kb_relations());
      const auto person = reader.take_from(kb_people());
      if (!relation || !person) return std::nullopt;
      answer.steps.push_back({*person, *relation});
    }
  }
  if (!reader.take("#")) return std::nullopt;
  const auto result = reader.take_from(kb_people());
  if (!result || !reader.done()) return std::nullopt;
  answer.result = *result;
  return answer;
}

// The start and every hop are steps; a hop holds when it follows from the person that the student
// wrote before.
double share_of_valid_steps(const Problem& problem, const Answer& answer) {
  std::size_t valid = answer.start == problem.start ? 1 : 0;
  std::size_t now = answer.start;
  for (std::size_t i = 0; i < answer.steps.size(); ++i) {
    const Mention& step = answer.steps[i];
    if (i < problem.path.size() && step.relation == problem.path[i] &&
        step.person == kb_fact(now, step.relation)) {
      ++valid;
    }
    now = step.person;
  }
  const std::size_t all = 1 + std::max(answer.steps.size(), problem.path.size());
  return static_cast<double>(valid) / static_cast<double>(all);
}

class Kb final : public TypedFamily<Problem> {
 public:
  std::string_view name() const override { return "kb"; }
  std::string_view task() const override { return "Common-Sense"; }
  bool has_steps() const override { return true; }
  std::vector<std::string> level_table() const override {
    std::vector<std::string> rows;
    for (const Setting& setting : kSettings) {
      rows.push_back(std::to_string(setting.hops) + (setting.hops == 1 ? " hop, " : " hops, ") +
                     std::to_string(setting.distractors) +
                     (setting.distractors == 1 ? " distractor" : " distractors"));
    }
    return rows;
  }

 protected:
  Problem draw(int level, RandomStream& stream) const override;
  std::string render(const Problem& problem) const override;
  std::optional<Problem> read(std::string_view prompt) const override;
  int level_of(const Problem& problem) const override;
  std::string canonical_of(const Problem& problem) const override;
  std::string solve(const Problem& problem, Style style) const override;
  Verdict grade(const Problem& problem, std::string_view response) const override;
  std::vector<Variant> vary(const Problem& problem, RandomStream& stream) const override;
};

Problem Kb::draw(int level, RandomStream& stream) const {
  const Setting& setting = setting_of(kSettings, level);
  Problem problem;
  problem.start = stream.below(kPeople);
  for (std::size_t i = 0; i < setting.hops; ++i) problem.path.push_back(stream.below(kRelations));
  for (std::size_t i = 0; i < setting.distractors; ++i) {
    const std::size_t shift = 1 + stream.below(kPeople - 1);  // never the start
    problem.distractors.push_back({(problem.start + shift) % kPeople, stream.below(kRelations)});
  }
  return problem;
}

std::string Kb::render(const Problem& problem) const {
  std::string text = "Who is " + kb_people()[problem.start];
  for (const std::size_t relation : problem.path) text += "'s " + kb_relations()[relation];
  for (const Mention& other : problem.distractors) {
    text += ", not " + kb_people()[other.person] + "'s " + kb_relations()[other.relation];
  }
  return text + "?";
}

std::optional<Problem> Kb::read(std::string_view prompt) const {
  WordReader reader(prompt);
  Problem problem;
  if (!reader.take({"Who", "is"})) return std::nullopt;
  const auto start = reader.take_from(kb_people());
  if (!start) return std::nullopt;
  problem.start = *start;
  while (reader.take({"'", "s"})) {
    const auto relation = reader.take_from(kb_relations());
    if (!relation) return std::nullopt;
    problem.path.push_back(*relation);
  }
  while (reader.take({",", "not"})) {
    const auto person = reader.take_from(kb_people());
    if (!person || !reader.take({"'", "s"})) return std::nullopt;
    const auto relation = reader.take_from(kb_relations());
    if (!relation || *person == problem.start) return std::nullopt;
    problem.distractors.push_back({*person, *relation});
  }
  if (level_of(problem) == 0 || trim(prompt) != render(problem)) return std::nullopt;
  return problem;
}

// 0 where no level has these settings.
int Kb::level_of(const Problem& problem) const {
  return level_where(kSettings, [&](const Setting& setting) {
    return problem.path.size() == setting.hops && problem.distractors.size() == setting.distractors;
  });
}

// Distractors do not change what is asked.
std::string Kb::canonical_of(const Problem& problem) const {
  std::string text = kb_people()[problem.start];
  for (const std::size_t relation : problem.path) text += " " + kb_relations()[relation];
  return text;
}

std::string Kb::solve(const Problem& problem, Style style) const {
  const std::vector<std::size_t> people = chain(problem);
  std::string result = "# " + kb_people()[people.back()];
  if (style != Style::steps) return result;
  std::vector<Mention> steps;
  for (std::size_t i = 0; i < people.size(); ++i) steps.push_back({people[i], problem.path[i]});
  return written_chain(problem.start, steps) + " " + result;
}

Verdict Kb::grade(const Problem& problem, std::string_view response) const {
  const auto answer = read_answer(response);
  if (!answer) return unreadable("Not a chain of people that ends with \"# name\".");
  const std::size_t expected = chain(problem).back();
  Verdict verdict = all_right();
  verdict.correct = answer->result == expected ? 1 : 0;
  verdict.steps = answer->has_chain ? share_of_valid_steps(problem, *answer) : verdict.correct;
  if (!verdict.right()) {
    verdict.words = "The person asked for is " + kb_people()[expected] + ", not " +
                    kb_people()[answer->result] + ".";
  } else if (verdict.steps < 1) {
    verdict.words = "The person is right, but a link of the chain does not hold.";
  }
  return verdict;
}

std::vector<Variant> Kb::vary(const Problem& problem, RandomStream& stream) const {
  const std::vector<std::size_t> people = chain(problem);
  const std::string& name = kb_people()[people.back()];
  const std::size_t other = (people.back() + 1 + stream.below(kPeople - 1)) % kPeople;
  const std::string steps = solve(problem, Style::steps);
  std::vector<Mention> damaged;
  for (std::size_t i = 0; i < people.size(); ++i) damaged.push_back({people[i], problem.path[i]});
  Mention& link = damaged[stream.below(damaged.size())];
  link.person = (link.person + 1 + stream.below(kPeople - 1)) % kPeople;
  const std::string chain_text = steps.substr(0, steps.find(" # "));
  return {
      {"other_person", 'C', "# " + kb_people()[other]},
      {"other_person_after_right_chain", 'C', chain_text + " # " + kb_people()[other]},
      {"no_result", 'F', chain_text},
      {"unknown_name", 'F', "# nobody"},
      {"link_changed", 'S', written_chain(problem.start, damaged) + " # " + name},
      {"chain_missing_a_link", 'S', "from " + kb_people()[problem.start] + " # " + name},
      {"more_white_space", 0, "  " + replace_all(steps, " ", "  ") + "\n"},
  };
}

}  // namespace

const Words& kb_people() {
  static const Words people = {"anna", "bela", "carl", "dora", "egon", "fred",  "gina", "hans",
                               "ivan", "jana", "kurt", "lena", "marc", "nora",  "olga", "paul",
                               "rita", "sven", "tina", "udo",  "vera", "willy", "yara", "zoe",
                               "bert", "cleo", "dirk", "emma", "finn", "greta"};
  return people;
}

const Words& kb_relations() {
  static const Words relations = {"boss", "friend", "teacher"};
  return relations;
}

std::size_t kb_fact(std::size_t person, std::size_t relation) {
  static const World world = make_world();
  check(person < kPeople && relation < kRelations, "kb_fact: person or relation out of range");
  return world[relation][person];
}

const Family& kb_family() {
  static const Kb family;
  return family;
}

bool kb_is_open_fact(std::string_view prompt) {
  const Family& family = kb_family();
  return family.accepts(prompt) && family.level(prompt) == 1;
}

}  // namespace tapir::gym
