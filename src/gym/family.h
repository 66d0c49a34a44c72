// A family of the gym: small language tasks of one kind with an exact teacher and an exact judge.
// Adding one is one file under families/ and a row in families.cpp. Families are stateless and
// thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace tapir::gym {

inline constexpr int kLevels = 5;        // 1..5 are trained on
inline constexpr int kLevelsBeyond = 7;  // 6 and 7 never are

// How the teacher answers; equal texts where there is nothing to step through.
enum class Style {
  answer,  // the answer only
  terse,   // terse steps (the style of the pool D); equal to `answer` in families without steps
  steps,   // explicit steps, every intermediate value written down
};

// Components in [0, 1]. score() is 1-10.
struct Verdict {
  double correct = 0;  // C: 1 if correct, else 0.2 x partial credit
  double steps =
      0;  // S: share of steps valid given the student's own previous value; no steps: equal to C
  double format = 0;  // F: 1 if parsable
  std::string words;  // one sentence: what is wrong, or that nothing is
  bool right() const { return correct >= 1; }
  // 1 + 9 (0.6 C + 0.3 S + 0.1 F), so written that all three at 1 give 10 to the bit.
  double score() const { return 1 + (54 * correct + 27 * steps + 9 * format) / 10; }
};

// A damaged or rewritten answer, for the property tests of the judge.
struct Variant {
  std::string name;  // "last_digit_changed"
  char breaks =
      0;  // the component that must fall: 'C', 'S' or 'F'; 0: an equivalent rewrite that keeps 10
  std::string text;
};

class Family {
 public:
  virtual ~Family() = default;
  virtual std::string_view name() const = 0;  // "add"
  virtual std::string_view task() const = 0;  // of the gym's taxonomy: "Math"
  // Its settings for levels 1..7, for docs/gym_families.md: one short text per level.
  virtual std::vector<std::string> level_table() const = 0;
  // True where `steps` differs from `answer`: these families have worked examples in the base's
  // corpus.
  virtual bool has_steps() const = 0;

  // A prompt of that level (1..7), drawn from the stream.
  virtual std::string make(int level, RandomStream& stream) const = 0;
  // Total: nothing for any text that is not a prompt of this family. No two families accept the
  // same text.
  virtual bool accepts(std::string_view prompt) const = 0;
  // The functions below REQUIRE accepts(prompt).
  virtual int level(std::string_view prompt) const = 0;
  // The same for prompts that ask the same (3+5 and 5+3); the split into train and test goes by it.
  virtual std::string canonical(std::string_view prompt) const = 0;
  virtual std::string teacher(std::string_view prompt, Style style) const = 0;
  // Total over responses. Reads every style.
  virtual Verdict judge(std::string_view prompt, std::string_view response) const = 0;
  // One knob up, never beyond level 5 (at level 5: a sibling).
  virtual std::string evolve(std::string_view prompt, RandomStream& stream) const = 0;
  // Damaged and equivalent answers for the tests; at least one that breaks C, one that breaks F,
  // and where has_steps() one that breaks S alone.
  virtual std::vector<Variant> variants(std::string_view prompt, RandomStream& stream) const = 0;
};

// What a family turns up from level to level; 1 first.
template <typename Setting>
using LevelSettings = std::array<Setting, kLevelsBeyond>;

template <typename Setting>
const Setting& setting_of(const LevelSettings<Setting>& settings, int level) {
  check(level >= 1 && level <= kLevelsBeyond, "a level of the gym is 1..7");
  return settings[static_cast<std::size_t>(level - 1)];
}

// The level whose setting fits; 0: none does.
template <typename Setting, typename Fits>
int level_where(const LevelSettings<Setting>& settings, Fits fits) {
  for (std::size_t i = 0; i < settings.size(); ++i) {
    if (fits(settings[i])) return static_cast<int>(i) + 1;
  }
  return 0;
}

// Implements Family over a parsed problem: what a family's file writes.
template <typename Problem>
class TypedFamily : public Family {
 public:
  std::string make(int level, RandomStream& stream) const final {
    return render(draw(level, stream));
  }
  bool accepts(std::string_view prompt) const final { return read(prompt).has_value(); }
  int level(std::string_view prompt) const final { return level_of(*read(prompt)); }
  std::string canonical(std::string_view prompt) const final {
    return std::string(name()) + "|" + canonical_of(*read(prompt));
  }
  std::string teacher(std::string_view prompt, Style style) const final {
    return solve(*read(prompt), style);
  }
  Verdict judge(std::string_view prompt, std::string_view response) const final {
    return grade(*read(prompt), response);
  }
  std::string evolve(std::string_view prompt, RandomStream& stream) const override {
    const int now = level_of(*read(prompt));
    return make(now < kLevels ? now + 1 : now, stream);
  }
  std::vector<Variant> variants(std::string_view prompt, RandomStream& stream) const final {
    return vary(*read(prompt), stream);
  }

 protected:
  virtual Problem draw(int level, RandomStream& stream) const = 0;
  virtual std::string render(const Problem& problem) const = 0;
  virtual std::optional<Problem> read(std::string_view prompt) const = 0;
  virtual int level_of(const Problem& problem) const = 0;
  virtual std::string canonical_of(const Problem& problem) const = 0;
  virtual std::string solve(const Problem& problem, Style style) const = 0;
  virtual Verdict grade(const Problem& problem, std::string_view response) const = 0;
  virtual std::vector<Variant> vary(const Problem& problem, RandomStream& stream) const = 0;
};

// All of them, in the order of gym.md's table.
const std::vector<const Family*>& families();
// nullptr when there is none of that name.
const Family* find_family(std::string_view name);
// The family whose prompt this is; nullptr when none accepts it.
const Family* recognise(std::string_view prompt);
// The verdict of the family whose prompt this is; nothing when none accepts it.
std::optional<Verdict> judge_text(std::string_view prompt, std::string_view response);

}  // namespace tapir::gym
