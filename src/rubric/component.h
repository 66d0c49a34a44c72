// What an instruction asks for, as weighted components: requirements that code can check, each of
// a kind from a fixed table, and requirements that a judge has to confirm. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tapir::rubric {

// A count has to lie in [at_least, at_most]; a missing end is open.
struct Bounds {
  std::optional<std::int64_t> at_least;
  std::optional<std::int64_t> at_most;
  bool any() const { return at_least || at_most; }
  bool hold(std::int64_t count) const {
    return (!at_least || count >= *at_least) && (!at_most || count <= *at_most);
  }
  bool operator==(const Bounds&) const = default;
};
std::string to_string(const Bounds& bounds);  // "at least 3", "3 to 5", "exactly 3", "any number"

// One requirement. Which of the parameters a kind takes says component_kinds().
struct Component {
  std::string id;      // unique in its rubric; of letters, digits, '_' and '-'
  std::string kind;    // of component_kinds(), or kJudged
  double weight = 1;   // > 0
  std::string source;  // IFEval's instruction id, where it was read from one; else empty

  Bounds bounds;
  std::vector<std::string> values;  // phrases, a letter, a marker, a language, a separator, ...
  bool whole_words = true;          // phrases: where no word goes on at their ends
  std::int64_t place = 1;           // of a paragraph, from 1
  std::string text;  // of a judged one: what an answer has to do, one sentence; the judge sees it
  bool operator==(const Component&) const = default;
};

using Rubric = std::vector<Component>;

// The kind of requirements that code cannot check.
inline constexpr std::string_view kJudged = "judged";
inline bool is_judged(const Component& component) { return component.kind == kJudged; }
bool has_judged(const Rubric& rubric);

// Whether one requirement is met, and why (not), in words: "82 words; asked for: at least 100".
struct Finding {
  bool kept = false;
  std::string words;
};

// How many values a kind takes; several: one or more.
enum class Values { none, one, at_most_one, several };
enum class Takes { nothing, maybe, always };

// A row of the table of kinds. Checkers are pure, total over answers, and thread-safe.
struct ComponentKind {
  std::string_view name;
  std::string_view group;  // "length", "content", "format", "case", "language", "frame", "list"
  Values values = Values::none;
  Takes bounds = Takes::nothing;
  bool takes_words = false;  // "whole_words"
  bool takes_place = false;
  std::string_view what;  // for the documents: what holds when it is kept
  Finding (*check)(const Component& component, std::string_view answer) = nullptr;
};

// All kinds that code can check, by group.
const std::vector<ComponentKind>& component_kinds();
// nullptr when there is none of that name (kJudged too).
const ComponentKind* find_kind(std::string_view name);
// The group of a kind; kJudged of itself.
std::string_view group_of(const Component& component);

// Why the component cannot be used: an unknown kind, a parameter that is missing or that its kind
// does not take, a weight that is not above 0, bounds that no count can keep. Empty when it can.
std::string fault_of(const Component& component);

// Two components that no answer can keep together.
struct Conflict {
  std::string first;
  std::string second;  // their ids
  std::string why;
};
// Found by rule, from kinds and parameters; a rubric without any may still be hard to meet.
std::vector<Conflict> conflicts_of(const Rubric& rubric);

}  // namespace tapir::rubric
