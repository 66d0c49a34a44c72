#include "rubric/grade.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/strings.h"
#include "rubric/text_units.h"

namespace tapir::rubric {
namespace {

// Lines [1 or 0, end or end - 1) of the answer, as IFEval cuts them.
std::string without_lines(const std::vector<std::string>& lines, bool first, bool last) {
  const std::size_t from = first ? 1 : 0;
  const std::size_t to = last ? lines.size() - 1 : lines.size();
  if (from >= to) return {};
  const auto begin = lines.begin();
  const std::string rest = join(
      {begin + static_cast<std::ptrdiff_t>(from), begin + static_cast<std::ptrdiff_t>(to)}, "\n");
  return std::string(strip(rest));
}

std::vector<std::string> loose_forms(std::string_view answer) {
  const std::vector<std::string> lines = split(answer, '\n');
  std::vector<std::string> forms = {std::string(answer), without_lines(lines, true, false),
                                    without_lines(lines, false, true),
                                    without_lines(lines, true, true)};
  const std::size_t plain = forms.size();
  for (std::size_t i = 0; i < plain; ++i) forms.push_back(replace_all(forms[i], "*", ""));
  return forms;
}

Finding check_once(const ComponentKind& kind, const Component& component, std::string_view answer) {
  if (is_blank(answer)) return {false, "the answer is blank"};
  return kind.check(component, answer);
}

}  // namespace

Finding check(const Component& component, std::string_view answer, Strictness strictness) {
  const ComponentKind* kind = find_kind(component.kind);
  tapir::check(kind != nullptr, "rubric::check: a kind that code can check");
  Finding strict = check_once(*kind, component, answer);
  if (strict.kept || strictness == Strictness::strict) return strict;
  for (const std::string& form : loose_forms(answer)) {
    Finding finding = check_once(*kind, component, form);
    if (finding.kept) return finding;
  }
  return strict;
}

double Grade::kept_weight() const {
  double sum = 0;
  for (const ComponentResult& one : components) sum += one.finding.kept ? one.weight : 0;
  return sum;
}

double Grade::weight() const {
  double sum = 0;
  for (const ComponentResult& one : components) sum += one.weight;
  return sum;
}

Grade grade(const Rubric& rubric, std::string_view answer, const Verdicts& verdicts) {
  tapir::check(!rubric.empty(), "rubric::grade: a rubric has components");
  const bool blank = is_blank(answer);
  Grade grade;
  for (const Component& component : rubric) {
    Finding finding = {false, "the answer is blank"};
    if (!blank && is_judged(component)) {
      const auto verdict = verdicts.find(component.id);
      tapir::check(verdict != verdicts.end(), "rubric::grade: a verdict on " + component.id);
      finding = {verdict->second,
                 verdict->second ? "met, says the judge" : "not met, says the judge"};
    } else if (!blank) {
      finding = check(component, answer, Strictness::strict);
    }
    grade.components.push_back({component.id, component.kind, component.weight, finding});
  }
  return grade;
}

}  // namespace tapir::rubric
