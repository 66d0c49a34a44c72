// Reasoning: three cups with a letter each, swaps, one cup asked for. "cups:1k2m3p4r swap a13 b24
// ask:2".
#include <algorithm>

#include "gym/families/chain.h"
#include "gym/families/families.h"
#include "gym/families/scan.h"

namespace tapir::gym {
namespace {

constexpr std::size_t kCups = 3;
constexpr std::string_view kLetters = "dghkmprtvz";

struct Swap {
  std::size_t x = 0;  // cups from 0, x < y
  std::size_t y = 0;
};

struct Cups {
  std::string letters;  // by cup
  std::vector<Swap> swaps;
  std::size_t asked = 0;
};

char cup_char(std::size_t cup) { return static_cast<char>('1' + cup); }

std::string swap_text(const Swap& swap, std::size_t index) {
  return {static_cast<char>('a' + index), cup_char(swap.x), cup_char(swap.y)};
}

std::string state_text(std::string_view letters) {
  std::string out;
  for (std::size_t cup = 0; cup < letters.size(); ++cup) out += {cup_char(cup), letters[cup]};
  return out;
}

// The letters of "1k2m3p"; nothing when the cups are not in order.
std::optional<std::string> read_state(std::string_view text) {
  if (text.size() != 2 * kCups) return std::nullopt;
  std::string letters;
  for (std::size_t cup = 0; cup < kCups; ++cup) {
    if (text[2 * cup] != cup_char(cup) || !is_lower(text[2 * cup + 1])) return std::nullopt;
    letters += text[2 * cup + 1];
  }
  return letters;
}

Chain chain_of(const Cups& problem) {
  Chain chain;
  chain.count = problem.swaps.size() + 1;
  chain.start = problem.letters;
  chain.step = [problem](std::size_t i, const std::string& value) {
    if (i == 0) return state_text(problem.letters);
    const Swap& swap = problem.swaps[i - 1];
    std::string letters = value;
    std::swap(letters[swap.x], letters[swap.y]);
    return swap_text(swap, i - 1) + ":" + state_text(letters);
  };
  chain.handed_on = [](std::string_view text, const std::string&) {
    const std::size_t colon = text.find(':');
    return read_state(colon == std::string_view::npos ? text : text.substr(colon + 1));
  };
  chain.result = [asked = problem.asked](const std::string& value) {
    return std::string(1, value[asked]);
  };
  chain.is_result = [](std::string_view text) { return text.size() == 1 && is_lower(text[0]); };
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
    std::vector<char> letters(kLetters.begin(), kLetters.end());
    stream.shuffle(letters);
    problem.letters.assign(letters.begin(), letters.begin() + kCups);
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
    std::string out = "cups:" + state_text(problem.letters) + " swap";
    for (std::size_t i = 0; i < problem.swaps.size(); ++i) {
      out += " " + swap_text(problem.swaps[i], i);
    }
    return out + " ask:" + cup_char(problem.asked);
  }
  std::optional<Cups> read(std::string_view prompt) const override {
    Scan scan(prompt);
    if (!scan.literal("cups:") || scan.rest().size() < 2 * kCups) return std::nullopt;
    Cups problem;
    const auto letters = read_state(scan.rest().substr(0, 2 * kCups));
    if (!letters || !known_and_distinct(*letters)) return std::nullopt;
    problem.letters = *letters;
    scan = Scan(scan.rest().substr(2 * kCups));
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

 private:
  static bool known_and_distinct(std::string letters) {
    std::sort(letters.begin(), letters.end());
    if (std::adjacent_find(letters.begin(), letters.end()) != letters.end()) return false;
    return letters.find_first_not_of(kLetters) == std::string::npos;
  }
};

}  // namespace

const Family& shuffle_family() {
  static const ShuffleFamily family;
  return family;
}

}  // namespace tapir::gym
