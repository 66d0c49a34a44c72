#include <algorithm>
#include <array>

#include "base/error.h"
#include "gym/families/families.h"
#include "gym/families/grammar_words.h"

namespace tapir::gym {
namespace {

struct Setting {
  std::size_t overrides;
  std::size_t terms;
};
constexpr LevelSettings<Setting> kSettings = {
    {{1, 3}, {1, 4}, {2, 4}, {2, 5}, {3, 6}, {3, 8}, {3, 10}}};

struct Rule {
  int digit;
  int value;  // what it acts as
  auto operator<=>(const Rule&) const = default;
};

struct Problem {
  std::vector<Rule> rules;
  std::vector<int> terms;
};

int value_of(const Problem& problem, int digit) {
  for (const Rule& rule : problem.rules) {
    if (rule.digit == digit) return rule.value;
  }
  return digit;
}

std::vector<int> replaced_terms(const Problem& problem) {
  std::vector<int> terms;
  for (const int term : problem.terms) terms.push_back(value_of(problem, term));
  return terms;
}

// Every term and what it acts as.
std::vector<Rule> terms_as(const Problem& problem) {
  std::vector<Rule> terms;
  for (const int term : problem.terms) terms.push_back({term, value_of(problem, term)});
  return terms;
}

int last_digit_of_sum(const std::vector<int>& terms) {
  int sum = 0;
  for (const int term : terms) sum = (sum + term) % 10;
  return sum;
}

// The default rule leads elsewhere; every overridden digit occurs; nothing is replaced twice.
bool well_formed(const Problem& problem) {
  for (std::size_t i = 0; i < problem.rules.size(); ++i) {
    const Rule& rule = problem.rules[i];
    if (value_of(problem, rule.value) != rule.value) return false;
    if (rule.digit == rule.value) return false;
    if (!std::count(problem.terms.begin(), problem.terms.end(), rule.digit)) return false;
    for (std::size_t j = 0; j < i; ++j) {
      if (problem.rules[j].digit == rule.digit) return false;
    }
  }
  return last_digit_of_sum(problem.terms) != last_digit_of_sum(replaced_terms(problem));
}

// The terms after the first carry labels, as in the family modsum: a small student finds the next
// term by what it is called, not by counting.
const Words kLabels = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};

std::string terms_text(const std::vector<int>& terms) {
  std::string text = std::to_string(terms[0]);
  for (std::size_t i = 1; i < terms.size(); ++i) {
    text += " " + kLabels[i] + std::to_string(terms[i]);
  }
  return text;
}

std::string rules_text(const std::vector<Rule>& rules) {
  Words parts;
  for (const Rule& rule : rules) {
    parts.push_back(std::to_string(rule.digit) + " is " + std::to_string(rule.value));
  }
  return join(parts, ", ");
}

// A term, what it acts as, and the sum with what came before: "b3>6+4=0".
struct Addition {
  std::size_t label;
  Rule term;
  int before, sum;
};

// What an answer says; a bare result has none of the rest.
struct Answer {
  bool bare = true;
  std::vector<Rule> rules;
  Rule first{0, 0};  // the first term and what it acts as
  std::vector<Addition> additions;
  int result = 0;
};

std::string acts_as(const Rule& rule) {
  return std::to_string(rule.digit) + ">" + std::to_string(rule.value);
}

// "3>6: 3>6 b4>4+6=0 c9>9+0=9 #9": the rules are restated in the form in which the steps use them,
// so that each digit of a step is one look-up.
std::string written(const Answer& answer) {
  Words rules;
  for (const Rule& rule : answer.rules) rules.push_back(acts_as(rule));
  std::string text = join(rules, ", ") + ": " + acts_as(answer.first);
  for (const Addition& step : answer.additions) {
    text += " " + kLabels[step.label] + acts_as(step.term) + "+" + std::to_string(step.before) +
            "=" + std::to_string(step.sum);
  }
  return text + " #" + std::to_string(answer.result);
}

std::optional<Rule> read_acts_as(WordReader& reader) {
  const auto digit = reader.take_digit();
  if (!digit || !reader.take(">")) return std::nullopt;
  const auto value = reader.take_digit();
  if (!value) return std::nullopt;
  return Rule{*digit, *value};
}

bool read_rules(WordReader& reader, std::vector<Rule>& rules) {
  do {
    const auto rule = read_acts_as(reader);
    if (!rule) return false;
    rules.push_back(*rule);
  } while (reader.take(","));
  return true;
}

bool read_steps(WordReader& reader, Answer& answer) {
  const auto first = read_acts_as(reader);
  if (!first) return false;
  answer.first = *first;
  while (const auto label = reader.take_from(kLabels)) {
    const auto term = read_acts_as(reader);
    if (!term || !reader.take("+")) return false;
    const auto before = reader.take_digit();
    if (!before || !reader.take("=")) return false;
    const auto sum = reader.take_digit();
    if (!sum) return false;
    answer.additions.push_back({*label, *term, *before, *sum});
  }
  return true;
}

std::optional<Answer> read_answer(std::string_view text) {
  WordReader reader(text);
  Answer answer;
  answer.bare = reader.next_is("#");
  if (!answer.bare) {
    if (!read_rules(reader, answer.rules) || !reader.take(":")) return std::nullopt;
    if (!read_steps(reader, answer)) return std::nullopt;
  }
  if (!reader.take("#")) return std::nullopt;
  const auto result = reader.take_digit();
  if (!result || !reader.done()) return std::nullopt;
  answer.result = *result;
  return answer;
}

// Steps: each rule restated, the first term, each addition from the value that the student had
// before.
double share_of_valid_steps(const Problem& problem, const Answer& answer) {
  const std::vector<Rule> terms = terms_as(problem);
  std::size_t valid = answer.first == terms[0] ? 1 : 0;
  for (std::size_t i = 0; i < std::min(answer.rules.size(), problem.rules.size()); ++i) {
    if (answer.rules[i] == problem.rules[i]) ++valid;
  }
  int before = answer.first.value;
  for (std::size_t i = 0; i < answer.additions.size(); ++i) {
    const Addition& step = answer.additions[i];
    const bool next = i + 1 < terms.size() && step.label == i + 1 && step.term == terms[i + 1];
    if (next && step.before == before && step.sum == (before + step.term.value) % 10) ++valid;
    before = step.sum;
  }
  const std::size_t all = 1 + std::max(answer.rules.size(), problem.rules.size()) +
                          std::max(answer.additions.size(), terms.size() - 1);
  return static_cast<double>(valid) / static_cast<double>(all);
}

Answer teacher_answer(const Problem& problem) {
  const std::vector<Rule> terms = terms_as(problem);
  Answer answer{false, problem.rules, terms[0], {}, terms[0].value};
  for (std::size_t i = 1; i < terms.size(); ++i) {
    const int sum = (answer.result + terms[i].value) % 10;
    answer.additions.push_back({i, terms[i], answer.result, sum});
    answer.result = sum;
  }
  return answer;
}

class Counterfactual final : public TypedFamily<Problem> {
 public:
  std::string_view name() const override { return "counterfactual"; }
  std::string_view task() const override { return "Counterfactual"; }
  bool has_steps() const override { return true; }
  std::vector<std::string> level_table() const override {
    std::vector<std::string> rows;
    for (const Setting& setting : kSettings) {
      rows.push_back(std::to_string(setting.overrides) +
                     (setting.overrides == 1 ? " override, " : " overrides, ") +
                     std::to_string(setting.terms) + " terms");
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

Problem Counterfactual::draw(int level, RandomStream& stream) const {
  const Setting& setting = setting_of(kSettings, level);
  Problem problem;
  do {
    problem = {};
    for (std::size_t i = 0; i < setting.terms; ++i) problem.terms.push_back(stream.between(0, 9));
    for (std::size_t i = 0; i < setting.overrides; ++i) {
      problem.rules.push_back({stream.choose(problem.terms), stream.between(0, 9)});
    }
  } while (!well_formed(problem));
  return problem;
}

std::string Counterfactual::render(const Problem& problem) const {
  return "Suppose " + rules_text(problem.rules) + ", sum mod ten:" + terms_text(problem.terms);
}

std::optional<Problem> Counterfactual::read(std::string_view prompt) const {
  WordReader reader(prompt);
  Problem problem;
  if (!reader.take("Suppose")) return std::nullopt;
  while (!reader.take({"sum", "mod", "ten", ":"})) {
    const auto digit = reader.take_digit();
    if (!digit || !reader.take("is")) return std::nullopt;
    const auto value = reader.take_digit();
    if (!value || !reader.take(",")) return std::nullopt;
    problem.rules.push_back({*digit, *value});
  }
  do {
    const auto term = reader.take_digit();
    if (!term) return std::nullopt;
    problem.terms.push_back(*term);
  } while (problem.terms.size() < kLabels.size() && reader.take(kLabels[problem.terms.size()]));
  if (level_of(problem) == 0 || !well_formed(problem)) return std::nullopt;
  if (trim(prompt) != render(problem)) return std::nullopt;
  return problem;
}

// 0 where no level has these settings.
int Counterfactual::level_of(const Problem& problem) const {
  return level_where(kSettings, [&](const Setting& setting) {
    return problem.rules.size() == setting.overrides && problem.terms.size() == setting.terms;
  });
}

// Neither the order of the overrides nor that of the terms changes what is asked.
std::string Counterfactual::canonical_of(const Problem& problem) const {
  Problem sorted = problem;
  std::sort(sorted.rules.begin(), sorted.rules.end());
  std::sort(sorted.terms.begin(), sorted.terms.end());
  return render(sorted);
}

std::string Counterfactual::solve(const Problem& problem, Style style) const {
  const Answer answer = teacher_answer(problem);
  return style == Style::steps ? written(answer) : "#" + std::to_string(answer.result);
}

Verdict Counterfactual::grade(const Problem& problem, std::string_view response) const {
  const auto answer = read_answer(response);
  if (!answer) return unreadable("Not a line of steps that ends with \"#digit\".");
  const int expected = last_digit_of_sum(replaced_terms(problem));
  if (answer->result == last_digit_of_sum(problem.terms)) {
    return {0, 0, 1, "This is the default rule's answer, not that of the rule supposed."};
  }
  Verdict verdict = all_right();
  verdict.correct = answer->result == expected ? 1 : 0;
  verdict.steps = answer->bare ? verdict.correct : share_of_valid_steps(problem, *answer);
  if (!verdict.right()) {
    verdict.words = "The digit is " + std::to_string(expected) + ", not " +
                    std::to_string(answer->result) + ".";
  } else if (verdict.steps < 1) {
    verdict.words = "The digit is right, but a step does not hold.";
  }
  return verdict;
}

std::vector<Variant> Counterfactual::vary(const Problem& problem, RandomStream& stream) const {
  const Answer right = teacher_answer(problem);
  Answer result = right;
  result.result = (right.result + stream.between(1, 9)) % 10;
  Answer sum = right;
  Addition& step = sum.additions[stream.below(sum.additions.size())];
  step.sum = (step.sum + stream.between(1, 9)) % 10;
  Answer rule = right;
  rule.rules[0].value = (rule.rules[0].value + stream.between(1, 9)) % 10;
  Answer term = right;
  Addition& miscopied = term.additions.back();
  miscopied.term.value = (miscopied.term.value + stream.between(1, 9)) % 10;
  Answer shorter = right;
  shorter.additions.pop_back();
  const std::string text = written(right);
  return {
      {"result_changed", 'C', written(result)},
      {"bare_result_changed", 'C', "#" + std::to_string(result.result)},
      {"default_rule", 'C', "#" + std::to_string(last_digit_of_sum(problem.terms))},
      {"addition_changed", 'S', written(sum)},
      {"rule_misquoted", 'S', written(rule)},
      {"term_miscopied", 'S', written(term)},
      {"addition_left_out", 'S', written(shorter)},
      {"no_result", 'F', text.substr(0, text.size() - 3)},
      {"two_digits", 'F', "#1" + std::to_string(right.result)},
      {"more_white_space", 0, replace_all(text, " ", "  ") + "\n"},
  };
}

}  // namespace

const Family& counterfactual_family() {
  static const Counterfactual family;
  return family;
}

}  // namespace tapir::gym
