// An answer against a rubric. Pure and thread-safe.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "rubric/component.h"

namespace tapir::rubric {

// strict: the answer as it is. loose: as IFEval has it, kept when it is kept by the answer as it
// is, or without its first line, its last line or both (a model's "Sure, here it is:"), each with
// and without its asterisks.
enum class Strictness { strict, loose };

// One component that code can check. A blank answer keeps none. REQUIRES: fault_of() is empty, not
// judged.
Finding check(const Component& component, std::string_view answer, Strictness strictness);

struct ComponentResult {
  std::string id;
  std::string kind;
  double weight = 1;
  Finding finding;
};

struct Grade {
  std::vector<ComponentResult> components;  // in the rubric's order
  double kept_weight() const;
  double weight() const;
  double share() const { return kept_weight() / weight(); }  // [0, 1]
  // 1-10: 1 + 9 share, so that breaking one component costs 9 times its share of the weight.
  double score() const { return 1 + 9 * share(); }
};

// By component id: whether the judge found the requirement met.
using Verdicts = std::map<std::string, bool>;

// Every component: by code, or as the judge's verdict says. REQUIRES: a verdict for every judged
// component, unless the answer is blank; the rubric is not empty.
Grade grade(const Rubric& rubric, std::string_view answer, const Verdicts& verdicts = {});

}  // namespace tapir::rubric
