#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "report/gather.h"
#include "stats/resampling.h"

namespace tapir::report {
namespace {

// Answers of one student to one exam set, by item.
using Answers = std::map<std::string, const store::ExamRow*>;

Answers answers_to(const std::vector<store::ExamRow>& rows, std::string_view set) {
  Answers answers;
  for (const store::ExamRow& row : rows) {
    if (row.set == set) answers[row.item_id] = &row;
  }
  return answers;
}

double right(const store::ExamRow& row) { return row.correct ? 1.0 : 0.0; }

SetResult set_result(const Answers& answers, std::uint64_t seed, const std::string& name) {
  std::map<CellKey, std::vector<double>> cells;
  SetResult result;
  for (const auto& [id, row] : answers) {
    cells[{row->family, row->level}].push_back(right(*row));
    result.score += row->score;
    ++result.items;
  }
  if (result.items == 0) return result;
  result.score /= static_cast<double>(result.items);
  std::vector<std::vector<double>> strata;
  for (const auto& [key, values] : cells) {
    result.accuracy += stats::mean(values) / static_cast<double>(cells.size());
    strata.push_back(values);
  }
  RandomStream stream(seed, "report/accuracy", name);
  result.interval = stats::bootstrap_macro_mean(strata, stream, {.resamples = 1000});
  return result;
}

// Over the items that both answered (a student half way through the exam has fewer).
std::optional<Difference> difference(const Answers& a, const Answers& b, std::uint64_t seed,
                                     const std::string& set) {
  std::map<CellKey, std::vector<double>> cells;
  Difference result;
  std::vector<double> wins;
  for (const auto& [id, row] : a) {
    const auto other = b.find(id);
    if (other == b.end()) continue;
    cells[{row->family, row->level}].push_back(right(*row) - right(*other->second));
    const double ahead = row->score - other->second->score;
    wins.push_back(std::fabs(ahead) < 1e-9 ? 0.5 : (ahead > 0 ? 1.0 : 0.0));
    ++result.items;
  }
  if (result.items == 0) return std::nullopt;
  std::vector<std::vector<double>> strata;
  for (auto& [key, values] : cells) strata.push_back(std::move(values));
  const stats::MacroComparison macro = stats::compare_macro(strata, seed, set);
  result.value = macro.difference;
  result.interval = macro.interval;
  result.p = macro.p;
  RandomStream stream(seed, "compare/wins", set);
  result.win_rate = stats::mean(wins);
  result.win_interval = stats::bootstrap_mean(wins, stream);
  return result;
}

std::map<CellKey, ExamCell> cells_of(const std::vector<store::ExamRow>& rows,
                                     const std::string& headline) {
  std::map<CellKey, ExamCell> cells;
  std::map<CellKey, ExamCell> beyond;
  for (const store::ExamRow& row : rows) {
    if (row.set != headline && row.set != "beyond") continue;
    ExamCell& cell = (row.set == headline ? cells : beyond)[{row.family, row.level}];
    cell.beyond = row.set != headline;
    ++cell.items;
    cell.accuracy += right(row);
    cell.score += row.score;
  }
  cells.insert(beyond.begin(), beyond.end());
  for (auto& [key, cell] : cells) {
    cell.accuracy /= static_cast<double>(cell.items);
    cell.score /= static_cast<double>(cell.items);
  }
  return cells;
}

// The last student of an arm that sat the exam, or the one that the gate settled on.
std::string final_student(const store::RunStore& store, const Arms& arms, const std::string& arm) {
  std::string best;
  int last = 0;
  for (const std::string& student : store.exam_students()) {
    const StudentName name = parse_student(student);
    if (name.arm != arm || name.round < 1) continue;
    if (student == arms.final_student) return student;
    if (name.round > last) {
      last = name.round;
      best = student;
    }
  }
  return best;
}

struct Sitting {
  std::vector<store::ExamRow> rows;
  Answers headline;
};

}  // namespace

std::string label_of(const std::string& student, const Arms& arms) {
  const StudentName name = parse_student(student);
  if (name.arm.empty()) return "S\xE2\x82\x80";
  if (arms.rounds == 0 || name.round == arms.rounds) return name.arm;
  return name.arm + " (round " + std::to_string(name.round) + ")";
}

Outcome gather_outcome(const store::RunStore& store, const Arms& arms,
                       const ReportOptions& options) {
  Outcome outcome;
  outcome.headline_set = options.headline_set;
  std::vector<std::string> students = {std::string(kS0)};
  for (const std::string& arm : arms.names) students.push_back(final_student(store, arms, arm));
  std::vector<Sitting> sittings;
  for (const std::string& student : students) {
    Sitting sitting;
    if (!student.empty()) sitting.rows = store.exam_rows(student);
    if (sitting.rows.empty()) continue;
    sittings.push_back(std::move(sitting));
    sittings.back().headline = answers_to(sittings.back().rows, options.headline_set);
    StudentResult result;
    result.student = student;
    result.arm = parse_student(student).arm;
    result.label = label_of(student, arms);
    result.main = !result.arm.empty() && result.arm == arms.main;
    for (const store::ExamRow& row : sittings.back().rows)
      result.sets.emplace(row.set, SetResult{});
    for (auto& [set, figures] : result.sets) {
      figures =
          set_result(answers_to(sittings.back().rows, set), options.seed, student + "|" + set);
    }
    result.cells = cells_of(sittings.back().rows, options.headline_set);
    outcome.students.push_back(std::move(result));
  }
  const auto place_of = [&](std::string_view arm) {
    const StudentResult* found = outcome.find(arm);
    return found == nullptr ? outcome.students.size()
                            : static_cast<std::size_t>(found - outcome.students.data());
  };
  const std::size_t s0 = place_of("");
  const std::size_t plain = place_of(kBaselineArm);
  const auto against = [&](std::size_t a, std::size_t b) -> std::optional<Difference> {
    if (b >= sittings.size() || a == b) return std::nullopt;
    return difference(sittings[a].headline, sittings[b].headline, options.seed,
                      options.headline_set);
  };
  for (std::size_t i = 0; i < outcome.students.size(); ++i) {
    if (outcome.students[i].arm.empty()) continue;
    outcome.students[i].to_s0 = against(i, s0);
    outcome.students[i].to_plain = against(i, plain);
    if (i > 0) outcome.students[i].to_previous = against(i, i - 1);
  }
  return outcome;
}

}  // namespace tapir::report
