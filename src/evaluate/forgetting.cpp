#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "evaluate/exam.h"

namespace tapir::evaluate {
namespace {

const Cell& cell_of(const ExamSummary& summary, const std::string& family) {
  const auto found = summary.by_family.find(family);
  check(found != summary.by_family.end(), "forgetting: a round's exam lacks the family " + family);
  return found->second;
}

// Variance of an accuracy, with one success and one failure added: a cell that is all right or all
// wrong is not certain.
double variance(const Cell& cell) {
  const auto n = static_cast<double>(cell.items);
  const double share = (cell.accuracy * n + 1) / (n + 2);
  return share * (1 - share) / (n + 2);
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

}  // namespace

Forgetting forgetting(const std::vector<ExamSummary>& by_round) {
  Forgetting result;
  if (by_round.empty()) return result;
  for (const auto& [family, first] : by_round.front().by_family) {
    ForgettingRow row{.family = family};
    for (const ExamSummary& round : by_round)
      row.accuracy.push_back(cell_of(round, family).accuracy);
    row.best = *std::max_element(row.accuracy.begin(), row.accuracy.end());
    row.last_minus_best = row.accuracy.back() - row.best;
    row.last_minus_first = row.accuracy.back() - row.accuracy.front();
    result.backward_transfer += row.last_minus_first;
    result.mean_drop += row.last_minus_best;
    result.rows.push_back(std::move(row));
  }
  if (!result.rows.empty()) {
    result.backward_transfer /= static_cast<double>(result.rows.size());
    result.mean_drop /= static_cast<double>(result.rows.size());
  }
  return result;
}

GateResult forgetting_gate(const std::vector<ExamSummary>& by_round, double tolerance) {
  check(tolerance >= 0, "forgetting_gate: negative tolerance");
  GateResult result;
  if (by_round.size() < 2) return result;
  for (const auto& [family, last] : by_round.back().by_family) {
    const Cell* best = &last;
    for (const ExamSummary& round : by_round) {
      // A round may lack a small family: its few rows could not be judged.
      const auto cell = round.by_family.find(family);
      if (cell != round.by_family.end() && cell->second.accuracy > best->accuracy)
        best = &cell->second;
    }
    const double drop = best->accuracy - last.accuracy;
    if (drop <= tolerance || drop <= 2 * std::sqrt(variance(*best) + variance(last))) continue;
    result.tripped = true;
    if (!result.words.empty()) result.words += "; ";
    result.words +=
        family + " fell from " + percent(best->accuracy) + " to " + percent(last.accuracy);
  }
  return result;
}

}  // namespace tapir::evaluate
