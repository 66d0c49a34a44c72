#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "evaluate/exam.h"
#include "stats/resampling.h"

namespace tapir::evaluate {
namespace {

using CellKey = std::pair<std::string, int>;  // family, level

void add(Cell& cell, const store::ExamRow& row) {
  ++cell.items;
  cell.accuracy += row.correct ? 1 : 0;
  cell.score += row.score;
}

void divide(Cell& cell) {
  if (cell.items == 0) return;
  cell.accuracy /= static_cast<double>(cell.items);
  cell.score /= static_cast<double>(cell.items);
}

std::map<std::string, const store::ExamRow*> by_id(std::span<const store::ExamRow> rows,
                                                   std::string_view set) {
  std::map<std::string, const store::ExamRow*> result;
  for (const store::ExamRow& row : rows) {
    if (row.set != set) continue;
    check(result.emplace(row.item_id, &row).second, "exam: two answers to item " + row.item_id);
  }
  return result;
}

// 1, 0.5 or 0: who of the two has the higher judge score.
double win(const store::ExamRow& a, const store::ExamRow& b) {
  if (std::fabs(a.score - b.score) < 1e-9) return 0.5;
  return a.score > b.score ? 1 : 0;
}

}  // namespace

ExamSummary summarise(std::span<const store::ExamRow> rows, std::string_view set) {
  ExamSummary summary;
  // By id, so that sums do not depend on the order in which answers came.
  for (const auto& [id, row] : by_id(rows, set)) {
    add(summary.all, *row);
    add(summary.by_family[row->family], *row);
    add(summary.by_cell[{row->family, row->level}], *row);
  }
  divide(summary.all);
  for (auto& [family, cell] : summary.by_family) divide(cell);
  for (auto& [key, cell] : summary.by_cell) {
    divide(cell);
    summary.macro_accuracy += cell.accuracy / static_cast<double>(summary.by_cell.size());
  }
  return summary;
}

Comparison compare(std::span<const store::ExamRow> a, std::span<const store::ExamRow> b,
                   std::string_view set, std::uint64_t seed) {
  const auto rows_a = by_id(a, set);
  const auto rows_b = by_id(b, set);
  check(rows_a.size() == rows_b.size(), "compare: the two students did not sit the same items");
  Comparison result;
  result.items = static_cast<std::int64_t>(rows_a.size());
  if (rows_a.empty()) return result;

  std::map<CellKey, std::vector<double>> cells;  // differences of correctness
  std::vector<double> wins;
  for (const auto& [id, row] : rows_a) {
    const auto other = rows_b.find(id);
    check(other != rows_b.end(), "compare: the two students did not sit the same items: " + id);
    cells[{row->family, row->level}].push_back((row->correct ? 1.0 : 0.0) -
                                               (other->second->correct ? 1.0 : 0.0));
    wins.push_back(win(*row, *other->second));
  }
  std::vector<std::vector<double>> strata;
  for (auto& [key, differences] : cells) strata.push_back(std::move(differences));
  const stats::MacroComparison macro = stats::compare_macro(strata, seed, set);
  RandomStream win_bootstrap(seed, "compare/wins", set);
  const stats::Interval win_interval = stats::bootstrap_mean(wins, win_bootstrap);
  result.difference = macro.difference;
  result.low = macro.interval.low;
  result.high = macro.interval.high;
  result.p = macro.p;
  result.win_rate = stats::mean(wins);
  result.win_low = win_interval.low;
  result.win_high = win_interval.high;
  return result;
}

}  // namespace tapir::evaluate
