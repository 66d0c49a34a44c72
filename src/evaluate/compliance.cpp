#include "evaluate/compliance.h"

#include <algorithm>

namespace tapir::evaluate {
namespace {

bool kept_by(const CheckedComponent& component, rubric::Strictness strictness) {
  return strictness == rubric::Strictness::strict ? component.strict : component.loose;
}

void add(Rate& rate, bool kept) {
  ++rate.all;
  rate.kept += kept ? 1 : 0;
}

}  // namespace

bool CheckedAnswer::kept(rubric::Strictness strictness) const {
  return std::all_of(components.begin(), components.end(),
                     [&](const CheckedComponent& one) { return kept_by(one, strictness); });
}

CheckedAnswer check_answer(const std::string& id, const rubric::Rubric& rubric,
                           std::string_view answer) {
  CheckedAnswer checked{id, {}, 0};
  for (const rubric::Component& component : rubric) {
    if (rubric::is_judged(component)) {
      ++checked.judged;
      continue;
    }
    const auto strict = rubric::check(component, answer, rubric::Strictness::strict);
    const auto loose = rubric::check(component, answer, rubric::Strictness::loose);
    checked.components.push_back({component.id, component.kind,
                                  std::string(rubric::group_of(component)), component.source,
                                  component.weight, strict.kept, loose.kept, strict.words});
  }
  return checked;
}

Compliance compliance_of(std::span<const CheckedAnswer> answers, rubric::Strictness strictness) {
  Compliance all;
  for (const CheckedAnswer& answer : answers) {
    if (answer.components.empty()) continue;
    add(all.prompts, answer.kept(strictness));
    for (const CheckedComponent& component : answer.components) {
      const bool kept = kept_by(component, strictness);
      add(all.instructions, kept);
      add(all.by_group[component.group], kept);
      add(all.by_kind[component.kind], kept);
      if (!component.source.empty()) add(all.by_source[component.source], kept);
    }
  }
  all.prompts_between = stats::wilson_interval(all.prompts.kept, all.prompts.all);
  return all;
}

}  // namespace tapir::evaluate
