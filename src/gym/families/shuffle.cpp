// Reasoning: three cups with a numbered ball each, swaps, one cup asked for. The cups 1, 2 and 3
// stand at A, B and C: "cups:A4B7C2 swap a13 b23 ask:2".
#include <algorithm>

#include "gym/families/chain.h"
#include "gym/families/families.h"
#include "gym/families/scan.h"

namespace tapir::gym {
namespace {

constexpr std::size_t kCups = 3;
constexpr std::string_view kBalls = "0123456789";

struct Swap {
  std::size_t x = 0;  // cups from 0, x < y
  std::size_t y = 0;
};

struct Cups {
  std::string balls;  // by cup
  std::vector<Swap> swaps;
  std::size_t asked = 0;
};

char cup_char(std::size_t cup) { return static_cast<char>('1' + cup); }

std::string swap_text(const Swap& swap, std::size_t index) {
  return {static_cast<char>('a' + index), cup_char(swap.x), cup_char(swap.y)};
}

// A cup after so many swaps has a capital of its own, so that what stands behind a capital stays
// true: a small student looks a ball up by it, and need not know which state is the latest.
char place(std::size_t swaps, std::size_t cup) {
  return static_cast<char>('A' + kCups * swaps + cup);
}

std::string start_text(std::string_view balls) {
  std::string out;
  for (std::size_t cup = 0; cup < balls.size(); ++cup) out += {place(0, cup), balls[cup]};
  return out;
}

// The swap of the cups 1 and 3 of "A4B7C2" is "a13:C2D2B7E7A4F4": for every cup the place that its
// ball comes from, and its own. At the end "?2:E7": the cup asked for.
std::string step_text(const Cups& problem, std::size_t step, const std::string& balls) {
  if (step == problem.swaps.size()) {
    return {'?', cup_char(problem.asked), ':', place(step, problem.asked), balls[problem.asked]};
  }
  const Swap& swap = problem.swaps[step];
  std::string out = swap_text(swap, step) + ":";
  for (std::size_t cup = 0; cup < kCups; ++cup) {
    const std::size_t from = cup == swap.x ? swap.y : cup == swap.y ? swap.x : cup;
    out += {place(step, from), balls[from], place(step + 1, cup), balls[from]};
  }
  return out;
}

// The balls by cup after a swap, as written; nothing when it does not have such a step's shape.
std::optional<std::string> read_step(std::string_view text) {
  constexpr std::size_t kWidth = 4;  // of a cup
  const std::string_view cells = text.substr(std::min(text.size(), text.find(':') + 1));
  if (cells.size() != kWidth * kCups) return std::nullopt;
  std::string balls;
  for (std::size_t end = kWidth; end <= cells.size(); end += kWidth) {
    if (!is_digit(cells[end - 1])) return std::nullopt;
    balls += cells[end - 1];
  }
  return balls;
}

Chain chain_of(const Cups& problem) {
  Chain chain;
  chain.count = problem.swaps.size() + 1;  // and the cup asked for
  chain.start = problem.balls;
  chain.step = [problem](std::size_t i, const std::string& value) {
    return step_text(problem, i, value);
  };
  chain.handed_on = [](std::string_view text, const std::string& value) {
    return text.starts_with('?') ? value : read_step(text);
  };
  chain.result = [asked = problem.asked](const std::string& value) {
    return std::string(1, value[asked]);
  };
  chain.is_result = [](std::string_view text) { return text.size() == 1 && is_digit(text[0]); };
  return chain;
}

class ShuffleFamily final : public TypedFamily<Cups> {
 public:
  std::string_view name() const override { return "shuffle"; }
  std::string_view task() const override { return "Reasoning"; }
  bool has_steps() const override { return true; }
  std::vector<std::string> level_table() const override {
    std::vector<std::string> rows;
    for (int level = 1; level <= kLevelsBeyond; ++level) {
      rows.push_back("3 cups, " + std::to_string(level) + (level == 1 ? " swap" : " swaps"));
    }
    return rows;
  }

 protected:
  Cups draw(int level, RandomStream& stream) const override {
    Cups problem;
    std::vector<char> balls(kBalls.begin(), kBalls.end());
    stream.shuffle(balls);
    problem.balls.assign(balls.begin(), balls.begin() + kCups);
    for (int i = 0; i < level; ++i) {
      Swap swap{stream.below(kCups), stream.below(kCups - 1)};
      if (swap.y >= swap.x) ++swap.y;
      if (swap.x > swap.y) std::swap(swap.x, swap.y);
      problem.swaps.push_back(swap);
    }
    problem.asked = stream.below(kCups);
    return problem;
  }
  std::string render(const Cups& problem) const override {
    std::string out = "cups:" + start_text(problem.balls) + " swap";
    for (std::size_t i = 0; i < problem.swaps.size(); ++i) {
      out += " " + swap_text(problem.swaps[i], i);
    }
    return out + " ask:" + cup_char(problem.asked);
  }
  std::optional<Cups> read(std::string_view prompt) const override {
    Scan scan(prompt);
    if (!scan.literal("cups:")) return std::nullopt;
    Cups problem;
    for (std::size_t cup = 0; cup < kCups; ++cup) {
      if (!scan.literal(std::string(1, place(0, cup)))) return std::nullopt;
      const auto ball = scan.one_of(kBalls);
      if (!ball || problem.balls.find(*ball) != std::string::npos) return std::nullopt;
      problem.balls += *ball;
    }
    if (!scan.literal(" swap")) return std::nullopt;
    while (!scan.literal(" ask:")) {
      const char name = static_cast<char>('a' + problem.swaps.size());
      if (!scan.literal(std::string{' ', name})) return std::nullopt;
      const auto x = scan.one_of("123");
      const auto y = scan.one_of("123");
      if (!x || !y || *x >= *y) return std::nullopt;
      problem.swaps.push_back(
          {static_cast<std::size_t>(*x - '1'), static_cast<std::size_t>(*y - '1')});
    }
    const auto asked = scan.one_of("123");
    if (!asked || !scan.done() || problem.swaps.empty()) return std::nullopt;
    if (problem.swaps.size() > static_cast<std::size_t>(kLevelsBeyond)) return std::nullopt;
    problem.asked = static_cast<std::size_t>(*asked - '1');
    return problem;
  }
  int level_of(const Cups& problem) const override {
    return static_cast<int>(problem.swaps.size());
  }
  std::string canonical_of(const Cups& problem) const override { return render(problem); }
  std::string solve(const Cups& problem, Style style) const override {
    return solve_chain(chain_of(problem), style);
  }
  Verdict grade(const Cups& problem, std::string_view response) const override {
    return grade_chain(chain_of(problem), response);
  }
  std::vector<Variant> vary(const Cups& problem, RandomStream& stream) const override {
    return vary_chain(chain_of(problem), stream);
  }
};

}  // namespace

const Family& shuffle_family() {
  static const ShuffleFamily family;
  return family;
}

}  // namespace tapir::gym
