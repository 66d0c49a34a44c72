#include "pipeline/rubric_rows.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "pipeline/doctor.h"
#include "rubric/read_rubric.h"

namespace tapir::pipeline {

difficulty::Rubrics rubrics_of(const std::vector<dataset::DataRow>& rows) {
  difficulty::Rubrics rubrics;
  for (const dataset::DataRow& row : rows) {
    rubric::Rubric rubric = rubric::read_rubric(row.fields, row.where);
    if (!rubric.empty()) rubrics.emplace(row.instruction.id, std::move(rubric));
  }
  return rubrics;
}

difficulty::Rubrics read_rubrics(const Recipe& recipe) {
  difficulty::Rubrics rubrics =
      rubrics_of(dataset::read_instructions(instruction_files(recipe), {.keep_fields = true}));
  if (rubrics.empty()) {
    throw Error(ErrorKind::data,
                "judge.kind: rubric, but not one row of data.instructions has requirements",
                "give the rows \"components\" (docs/rubrics.md), or choose another judge");
  }
  return rubrics;
}

Json component_figures(const std::map<std::string, difficulty::ComponentDifficulty>& by_kind) {
  std::vector<Json> rows;
  for (const auto& [kind, one] : by_kind) {
    const auto all = static_cast<double>(one.components);
    const double by_teacher = static_cast<double>(one.teacher_kept) / all;
    const double by_student = static_cast<double>(one.student_kept) / all;
    rows.push_back({{"kind", kind},
                    {"components", one.components},
                    {"teacher", by_teacher},
                    {"student", by_student},
                    {"gap", by_teacher - by_student},
                    {"teacher_only", one.teacher_only}});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Json& a, const Json& b) {
    return a["gap"].get<double>() > b["gap"].get<double>();
  });
  return rows;
}

std::string component_figures_text(const Json& figures) {
  std::string out = fmt::format("{:<18} {:>10} {:>9} {:>9} {:>7}\n", "kind of component", "rows",
                                "teacher", "student", "gap");
  for (const Json& row : figures) {
    out += fmt::format("{:<18} {:>10} {:>8.1f}% {:>8.1f}% {:>+6.1f}%\n",
                       row["kind"].get<std::string>(), row["components"].get<std::int64_t>(),
                       100 * row["teacher"].get<double>(), 100 * row["student"].get<double>(),
                       100 * row["gap"].get<double>());
  }
  return out;
}

}  // namespace tapir::pipeline
