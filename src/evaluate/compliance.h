// How many of the requirements of its instructions a model keeps, by code alone (after IFEval).
// Pure.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rubric/component.h"
#include "rubric/grade.h"
#include "stats/intervals.h"

namespace tapir::evaluate {

struct CheckedComponent {
  std::string id;
  std::string kind;
  std::string group;
  std::string source;  // IFEval's instruction id; else empty
  double weight = 1;
  bool strict = false;
  bool loose = false;
  std::string words;  // why (not), of the strict check
};

struct CheckedAnswer {
  std::string id;                                  // of the instruction
  std::vector<CheckedComponent> components;        // those that code can check
  std::int64_t judged = 0;                         // left out: a judge would have to confirm them
  bool kept(rubric::Strictness strictness) const;  // every component
};

CheckedAnswer check_answer(const std::string& id, const rubric::Rubric& rubric,
                           std::string_view answer);

struct Rate {
  std::int64_t kept = 0;
  std::int64_t all = 0;
  double share() const {
    return all == 0 ? 0 : static_cast<double>(kept) / static_cast<double>(all);
  }
};

struct Compliance {
  Rate prompts;                     // answers that keep all their components
  stats::Interval prompts_between;  // of that share, 95 %, Wilson
  Rate instructions;                // components, over all answers
  std::map<std::string, Rate> by_group;
  std::map<std::string, Rate> by_kind;
  std::map<std::string, Rate> by_source;  // IFEval's instruction ids
};

// Answers without a component that code can check are passed over.
Compliance compliance_of(std::span<const CheckedAnswer> answers, rubric::Strictness strictness);

}  // namespace tapir::evaluate
