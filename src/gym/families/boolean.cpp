// Reasoning: a chain of and, or, xor, not, worked from left to right; brackets first.
// "left to right:T b and F c or not T d xor (T and F)".
#include "base/strings.h"
#include "gym/families/chain.h"
#include "gym/families/families.h"
#include "gym/families/scan.h"

namespace tapir::gym {
namespace {

constexpr std::string_view kPrefix = "left to right:";
constexpr int kMaxTerms = 16;

enum class Operator { conjunction, disjunction, exclusive };

std::string_view word_of(Operator op) {
  switch (op) {
    case Operator::conjunction:
      return "and";
    case Operator::disjunction:
      return "or";
    case Operator::exclusive:
      return "xor";
  }
  return "";
}

bool apply(Operator op, bool x, bool y) {
  switch (op) {
    case Operator::conjunction:
      return x && y;
    case Operator::disjunction:
      return x || y;
    case Operator::exclusive:
      return x != y;
  }
  return false;
}

char letter(bool value) { return value ? 'T' : 'F'; }

// What the running value is combined with: a literal, its negation, or two literals in brackets.
struct Term {
  Operator op = Operator::conjunction;
  bool negated = false;
  bool literal = false;
  bool bracketed = false;
  Operator inner_op = Operator::conjunction;
  bool inner = false;

  bool value() const {
    if (bracketed) return apply(inner_op, literal, inner);
    return negated ? !literal : literal;
  }
  int operators() const { return 1 + (negated || bracketed ? 1 : 0); }
};

struct Expression {
  bool first = false;
  std::vector<Term> terms;
};

char label(std::size_t term) { return static_cast<char>('b' + term); }

std::string text_of(const Term& term, std::size_t index) {
  std::string out = std::string(1, label(index)) + " " + std::string(word_of(term.op)) + " ";
  if (term.bracketed) {
    out +=
        std::string("(") + letter(term.literal) + " " + std::string(word_of(term.inner_op)) + " ";
    return out + letter(term.inner) + ")";
  }
  return out + (term.negated ? "not " : "") + letter(term.literal);
}

std::optional<Operator> read_operator(Scan& scan) {
  if (scan.literal("and ")) return Operator::conjunction;
  if (scan.literal("or ")) return Operator::disjunction;
  if (scan.literal("xor ")) return Operator::exclusive;
  return std::nullopt;
}

std::optional<Term> read_term(Scan& scan, std::size_t index) {
  if (!scan.literal(std::string{' ', label(index), ' '})) return std::nullopt;
  Term term;
  const auto op = read_operator(scan);
  if (!op) return std::nullopt;
  term.op = *op;
  term.bracketed = scan.literal("(");
  term.negated = !term.bracketed && scan.literal("not ");
  const auto literal = scan.one_of("TF");
  if (!literal) return std::nullopt;
  term.literal = *literal == 'T';
  if (!term.bracketed) return term;
  if (!scan.literal(" ")) return std::nullopt;
  const auto inner_op = read_operator(scan);
  const auto inner = scan.one_of("TF");
  if (!inner_op || !inner || !scan.literal(")")) return std::nullopt;
  term.inner_op = *inner_op;
  term.inner = *inner == 'T';
  return term;
}

int operators(const Expression& problem) {
  int count = 0;
  for (const Term& term : problem.terms) count += term.operators();
  return count;
}

// "d xor (T and F):F,T=T": the term again, its value, the running value, the new one.
std::string step_text(const Expression& problem, std::size_t i, const std::string& value) {
  if (i == 0) return std::string(1, letter(problem.first));
  const Term& term = problem.terms[i - 1];
  const bool next = apply(term.op, value == "T", term.value());
  return text_of(term, i - 1) + ":" + letter(term.value()) + "," + value + "=" + letter(next);
}

Chain chain_of(const Expression& problem) {
  Chain chain;
  chain.count = problem.terms.size() + 1;
  chain.start = "F";
  chain.begins_step = [](std::string_view word) { return word.size() == 1 && is_lower(word[0]); };
  chain.step = [problem](std::size_t i, const std::string& value) {
    return step_text(problem, i, value);
  };
  chain.handed_on = [](std::string_view text, const std::string&) -> std::optional<std::string> {
    if (text.empty() || (text.back() != 'T' && text.back() != 'F')) return std::nullopt;
    return std::string(1, text.back());
  };
  chain.result = [](const std::string& value) { return value; };
  chain.is_result = [](std::string_view text) { return text == "T" || text == "F"; };
  return chain;
}

class BooleanFamily final : public TypedFamily<Expression> {
 public:
  std::string_view name() const override { return "boolean"; }
  std::string_view task() const override { return "Reasoning"; }
  bool has_steps() const override { return true; }
  std::vector<std::string> level_table() const override {
    std::vector<std::string> rows;
    for (int level = 1; level <= kLevelsBeyond; ++level) {
      rows.push_back(std::to_string(2 * level + 1) + " operators" +
                     (level > 1 ? ", brackets" : ""));
    }
    return rows;
  }

 protected:
  Expression draw(int level, RandomStream& stream) const override {
    Expression problem;
    problem.first = stream.chance(0.5);
    int left = 2 * level + 1;
    while (left > 0) {
      Term term;
      term.op = static_cast<Operator>(stream.below(3));
      term.literal = stream.chance(0.5);
      term.bracketed = left > 1 && level > 1 && stream.chance(0.2);
      term.negated = left > 1 && !term.bracketed && stream.chance(0.3);
      if (term.bracketed) {
        term.inner_op = static_cast<Operator>(stream.below(3));
        term.inner = stream.chance(0.5);
      }
      left -= term.operators();
      problem.terms.push_back(term);
    }
    return problem;
  }
  std::string render(const Expression& problem) const override {
    std::string out = std::string(kPrefix) + letter(problem.first);
    for (std::size_t i = 0; i < problem.terms.size(); ++i) {
      out += " " + text_of(problem.terms[i], i);
    }
    return out;
  }
  std::optional<Expression> read(std::string_view prompt) const override {
    Scan scan(prompt);
    if (!scan.literal(kPrefix)) return std::nullopt;
    Expression problem;
    const auto first = scan.one_of("TF");
    if (!first) return std::nullopt;
    problem.first = *first == 'T';
    while (!scan.done()) {
      const auto term = read_term(scan, problem.terms.size());
      if (!term || problem.terms.size() >= kMaxTerms) return std::nullopt;
      problem.terms.push_back(*term);
    }
    const int count = operators(problem);
    if (count < 3 || count > 2 * kLevelsBeyond + 1 || count % 2 == 0) return std::nullopt;
    return problem;
  }
  int level_of(const Expression& problem) const override { return (operators(problem) - 1) / 2; }
  std::string canonical_of(const Expression& problem) const override { return render(problem); }
  std::string solve(const Expression& problem, Style style) const override {
    return solve_chain(chain_of(problem), style);
  }
  Verdict grade(const Expression& problem, std::string_view response) const override {
    return grade_chain(chain_of(problem), response);
  }
  std::vector<Variant> vary(const Expression& problem, RandomStream& stream) const override {
    return vary_chain(chain_of(problem), stream);
  }
};

}  // namespace

const Family& boolean_family() {
  static const BooleanFamily family;
  return family;
}

}  // namespace tapir::gym
