// Math: a running sum mod 10 over labelled terms. "sum mod ten:7 b3 c9". The labels let a small
// student find the next term by what it is called, not by counting.
#include <algorithm>

#include "gym/families/chain.h"
#include "gym/families/families.h"
#include "gym/families/scan.h"

namespace tapir::gym {
namespace {

constexpr std::string_view kPrefix = "sum mod ten:";

struct Terms {
  std::string digits;  // 3, 5, ... 15 of them
};

char label(std::size_t term) { return static_cast<char>('a' + term); }

Chain chain_of(const Terms& problem) {
  Chain chain;
  chain.count = problem.digits.size();
  chain.start = "0";
  chain.step = [problem](std::size_t i, const std::string& value) {
    const char term = problem.digits[i];
    if (i == 0) return std::string(1, term);
    const int sum = (term - '0' + value[0] - '0') % 10;
    return std::string{label(i), term, '+', value[0], '=', static_cast<char>('0' + sum)};
  };
  chain.handed_on = [](std::string_view text, const std::string&) -> std::optional<std::string> {
    if (text.empty() || !is_digit(text.back())) return std::nullopt;
    return std::string(1, text.back());
  };
  chain.result = [](const std::string& value) { return value; };
  chain.is_result = [](std::string_view text) { return text.size() == 1 && all_digits(text); };
  return chain;
}

class ModsumFamily final : public TypedFamily<Terms> {
 public:
  std::string_view name() const override { return "modsum"; }
  std::string_view task() const override { return "Math"; }
  bool has_steps() const override { return true; }
  std::vector<std::string> level_table() const override {
    std::vector<std::string> rows;
    for (int level = 1; level <= kLevelsBeyond; ++level) {
      rows.push_back(std::to_string(2 * level + 1) + " terms");
    }
    return rows;
  }

 protected:
  Terms draw(int level, RandomStream& stream) const override {
    Terms problem;
    for (int i = 0; i < 2 * level + 1; ++i) {
      problem.digits += static_cast<char>('0' + stream.below(10));
    }
    return problem;
  }
  std::string render(const Terms& problem) const override {
    std::string out = std::string(kPrefix) + problem.digits[0];
    for (std::size_t i = 1; i < problem.digits.size(); ++i) {
      out += {' ', label(i), problem.digits[i]};
    }
    return out;
  }
  std::optional<Terms> read(std::string_view prompt) const override {
    Scan scan(prompt);
    if (!scan.literal(kPrefix)) return std::nullopt;
    Terms problem;
    while (!scan.done()) {
      const std::size_t i = problem.digits.size();
      if (i > 0 && !scan.literal(std::string{' ', label(i)})) return std::nullopt;
      const auto term = scan.one_of("0123456789");
      if (!term || i >= 15) return std::nullopt;
      problem.digits += *term;
    }
    const std::size_t terms = problem.digits.size();
    if (terms < 3 || terms % 2 == 0) return std::nullopt;
    return problem;
  }
  int level_of(const Terms& problem) const override {
    return static_cast<int>(problem.digits.size() - 1) / 2;
  }
  std::string canonical_of(const Terms& problem) const override {
    std::string sorted = problem.digits;
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }
  std::string solve(const Terms& problem, Style style) const override {
    return solve_chain(chain_of(problem), style);
  }
  Verdict grade(const Terms& problem, std::string_view response) const override {
    return grade_chain(chain_of(problem), response);
  }
  std::vector<Variant> vary(const Terms& problem, RandomStream& stream) const override {
    return vary_chain(chain_of(problem), stream);
  }
};

}  // namespace

const Family& modsum_family() {
  static const ModsumFamily family;
  return family;
}

}  // namespace tapir::gym
