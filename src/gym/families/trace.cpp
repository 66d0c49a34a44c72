// Computer Science: assignments mod 10, one variable asked for. "run mod
// ten:a=3;b=a+4;c=a+b;d=a;?c".
#include <array>

#include "gym/families/chain.h"
#include "gym/families/families.h"
#include "gym/families/scan.h"

namespace tapir::gym {
namespace {

constexpr std::string_view kPrefix = "run mod ten:";
constexpr std::array<int, kLevelsBeyond> kStatements = {2, 3, 4, 6, 7, 8, 9};
constexpr int kTwoVariablesFrom = 3;  // level

// An operand is a digit or an earlier variable.
struct Operand {
  char text = '0';
  bool is_variable() const { return is_lower(text); }
};

// variable i = left, or left + right; variables are named a, b, c, ... in order.
struct Statement {
  Operand left;
  bool is_sum = false;
  Operand right;  // of a sum
};

struct Program {
  std::vector<Statement> statements;
  char asked = 'a';
};

char variable(std::size_t index) { return static_cast<char>('a' + index); }
// In steps a value stands behind its variable's capital letter, and nothing else does.
char place(std::size_t index) { return static_cast<char>('A' + index); }

// value holds the variables so far: "A3B7".
char value_of(const Operand& operand, const std::string& value) {
  if (!operand.is_variable()) return operand.text;
  return value[2 * static_cast<std::size_t>(operand.text - 'a') + 1];
}

char last_digit_of_sum(char x, char y) {
  return static_cast<char>('0' + ((x - '0') + (y - '0')) % 10);
}

std::string text_of(const Statement& statement, std::size_t index) {
  std::string out{variable(index), '=', statement.left.text};
  if (statement.is_sum) out += {'+', statement.right.text};
  return out;
}

// "c=a3+b7:C0": the statement again, each variable with its value behind it, and the new value. At
// the end "?b:B7": what is asked for.
std::string step_text(const Program& problem, std::size_t i, const std::string& value) {
  if (i == problem.statements.size()) {
    const auto asked = static_cast<std::size_t>(problem.asked - 'a');
    return {'?', problem.asked, ':', place(asked), value_of({problem.asked}, value)};
  }
  const Statement& statement = problem.statements[i];
  const auto shown = [&](const Operand& operand) {
    std::string text(1, operand.text);
    if (operand.is_variable()) text += value_of(operand, value);
    return text;
  };
  const char x = value_of(statement.left, value);
  std::string text = std::string{variable(i), '='} + shown(statement.left);
  if (!statement.is_sum) return text + ":" + std::string{place(i), x};
  text += "+" + shown(statement.right) + ":";
  return text + place(i) + last_digit_of_sum(x, value_of(statement.right, value));
}

Chain chain_of(const Program& problem) {
  Chain chain;
  chain.count = problem.statements.size() + 1;  // and the variable asked for
  chain.separator = ';';
  chain.step = [problem](std::size_t i, const std::string& value) {
    return step_text(problem, i, value);
  };
  chain.handed_on = [variables = problem.statements.size()](
                        std::string_view text,
                        const std::string& value) -> std::optional<std::string> {
    const std::size_t known = value.size() / 2;
    if (text.starts_with('?')) return known < variables ? std::nullopt : std::optional(value);
    const char name = place(known);
    if (text.size() < 2 || text[text.size() - 2] != name || !is_digit(text.back())) {
      return std::nullopt;
    }
    return value + name + text.back();
  };
  chain.result = [asked = problem.asked](const std::string& value) {
    return std::string(1, value_of({asked}, value));
  };
  chain.is_result = [](std::string_view text) { return text.size() == 1 && all_digits(text); };
  return chain;
}

// A digit, or a variable before statement i.
std::optional<Operand> read_operand(Scan& scan, std::size_t i) {
  if (const auto digit = scan.one_of("0123456789")) return Operand{*digit};
  const auto name = scan.one_of(std::string_view("abcdefghi").substr(0, i));
  if (!name) return std::nullopt;
  return Operand{*name};
}

std::optional<Statement> read_statement(Scan& scan, std::size_t i) {
  if (!scan.literal(std::string{variable(i), '='})) return std::nullopt;
  Statement statement;
  const auto left = read_operand(scan, i);
  if (!left) return std::nullopt;
  statement.left = *left;
  statement.is_sum = scan.literal("+");
  if (!statement.is_sum) return statement;
  const auto right = read_operand(scan, i);
  if (!left->is_variable() || !right) return std::nullopt;
  statement.right = *right;
  return statement;
}

class TraceFamily final : public TypedFamily<Program> {
 public:
  std::string_view name() const override { return "trace"; }
  std::string_view task() const override { return "Computer Science"; }
  bool has_steps() const override { return true; }
  std::vector<std::string> level_table() const override {
    std::vector<std::string> rows;
    for (int level = 1; level <= kLevelsBeyond; ++level) {
      rows.push_back(std::to_string(kStatements[static_cast<std::size_t>(level - 1)]) +
                     " statements" + (level >= kTwoVariablesFrom ? ", two variables" : ""));
    }
    return rows;
  }

 protected:
  Program draw(int level, RandomStream& stream) const override {
    Program problem;
    const int count = kStatements[static_cast<std::size_t>(level - 1)];
    const auto digit = [&] { return static_cast<char>('0' + stream.below(10)); };
    for (int i = 0; i < count; ++i) {
      Statement statement;
      statement.left.text = digit();
      if (i > 0 && !stream.chance(0.15)) {
        const auto earlier = [&] { return variable(stream.below(static_cast<std::uint64_t>(i))); };
        statement.left.text = earlier();
        statement.is_sum = !stream.chance(0.15);
        const bool two = level >= kTwoVariablesFrom && stream.chance(0.5);
        statement.right.text = two ? earlier() : digit();
      }
      problem.statements.push_back(statement);
    }
    const auto last = static_cast<std::uint64_t>(count - 1);
    problem.asked = variable(stream.chance(0.6) ? last : stream.below(last + 1));
    return problem;
  }
  std::string render(const Program& problem) const override {
    std::string out(kPrefix);
    for (std::size_t i = 0; i < problem.statements.size(); ++i) {
      out += text_of(problem.statements[i], i) + ";";
    }
    return out + "?" + problem.asked;
  }
  std::optional<Program> read(std::string_view prompt) const override {
    Scan scan(prompt);
    if (!scan.literal(kPrefix)) return std::nullopt;
    Program problem;
    while (!scan.literal("?")) {
      if (problem.statements.size() >= static_cast<std::size_t>(kStatements.back())) {
        return std::nullopt;
      }
      const auto statement = read_statement(scan, problem.statements.size());
      if (!statement || !scan.literal(";")) return std::nullopt;
      problem.statements.push_back(*statement);
    }
    const std::size_t count = problem.statements.size();
    const auto asked = scan.one_of(std::string_view("abcdefghi").substr(0, count));
    if (!asked || !scan.done()) return std::nullopt;
    problem.asked = *asked;
    if (level_of(problem) == 0) return std::nullopt;
    return problem;
  }
  // 0: no level has so many statements.
  int level_of(const Program& problem) const override {
    for (int level = 1; level <= kLevelsBeyond; ++level) {
      const int count = kStatements[static_cast<std::size_t>(level - 1)];
      if (static_cast<std::size_t>(count) == problem.statements.size()) return level;
    }
    return 0;
  }
  std::string canonical_of(const Program& problem) const override { return render(problem); }
  std::string solve(const Program& problem, Style style) const override {
    return solve_chain(chain_of(problem), style);
  }
  Verdict grade(const Program& problem, std::string_view response) const override {
    return grade_chain(chain_of(problem), response);
  }
  std::vector<Variant> vary(const Program& problem, RandomStream& stream) const override {
    return vary_chain(chain_of(problem), stream);
  }
};

}  // namespace

const Family& trace_family() {
  static const TraceFamily family;
  return family;
}

}  // namespace tapir::gym
