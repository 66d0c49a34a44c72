#include "evaluate/forgetting.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/random.h"
#include "stats/resampling.h"

namespace tapir::evaluate {
namespace {

using SetKey = std::pair<SetKind, std::string>;
using Answers = std::map<std::string, const SetAnswer*>;  // by item, so that sums have one order

std::map<SetKey, Answers> by_set(const Sitting& sitting) {
  std::map<SetKey, Answers> sets;
  for (const SetAnswer& answer : sitting) {
    const bool fresh = sets[{answer.kind, answer.set}].emplace(answer.item, &answer).second;
    check(fresh, "score_matrix: two answers to item " + answer.item + " of " + answer.set);
  }
  return sets;
}

double right(const SetAnswer& answer) { return answer.correct ? 1.0 : 0.0; }

ScoreCell cell_of(const Answers& answers) {
  ScoreCell cell;
  std::int64_t correct = 0;
  for (const auto& [item, answer] : answers) {
    ++cell.items;
    correct += answer->correct ? 1 : 0;
    cell.score += answer->score;
  }
  const auto items = static_cast<double>(cell.items);
  cell.accuracy = static_cast<double>(correct) / items;
  cell.score /= items;
  cell.interval = stats::wilson_interval(correct, cell.items);
  return cell;
}

void compare_with_last(ScoreRow& row) {
  for (const auto& cell : row.cells) {
    if (cell) row.best = std::max(row.best.value_or(0), cell->accuracy);
  }
  const auto& last = row.cells.back();
  if (!last) return;
  row.last_minus_best = last->accuracy - *row.best;
  if (row.cells.front()) row.last_minus_first = last->accuracy - row.cells.front()->accuracy;
}

std::optional<Overall> overall_of(const Sitting& sitting, std::uint64_t seed, std::size_t round) {
  std::vector<std::vector<double>> sets;
  Overall overall;
  for (const auto& [key, answers] : by_set(sitting)) {
    if (key.first != SetKind::own) continue;
    std::vector<double>& values = sets.emplace_back();
    for (const auto& [item, answer] : answers) values.push_back(right(*answer));
    overall.accuracy += stats::mean(values);
  }
  if (sets.empty()) return std::nullopt;
  overall.accuracy /= static_cast<double>(sets.size());
  RandomStream stream(seed, "forgetting/overall", std::to_string(round));
  overall.interval = stats::bootstrap_macro_mean(sets, stream, {.resamples = 1000});
  return overall;
}

// Over the items that both answered: a row whose judgment could not be read is missing.
std::optional<Change> change_of(const Sitting& first, const Sitting& last, SetKind kind,
                                std::uint64_t seed) {
  const std::map<SetKey, Answers> before = by_set(first);
  std::vector<std::vector<double>> differences;
  for (const auto& [key, answers] : by_set(last)) {
    const auto set = before.find(key);
    if (key.first != kind || set == before.end()) continue;
    std::vector<double> paired;
    for (const auto& [item, answer] : answers) {
      const auto old = set->second.find(item);
      if (old != set->second.end()) paired.push_back(right(*answer) - right(*old->second));
    }
    if (!paired.empty()) differences.push_back(std::move(paired));
  }
  if (differences.empty()) return std::nullopt;
  const stats::MacroComparison macro =
      stats::compare_macro(differences, seed, fmt::format("forgetting/{}", to_string(kind)));
  return Change{differences.size(), macro.difference, macro.interval, macro.p};
}

// Variance of an accuracy, with one success and one failure added: a cell that is all right or all
// wrong is not certain.
double variance(const ScoreCell& cell) {
  const auto n = static_cast<double>(cell.items);
  const double share = (cell.accuracy * n + 1) / (n + 2);
  return share * (1 - share) / (n + 2);
}

// "" or what fell from the best of `ancestors` (rounds, S_0 = 0) to the round.
std::string falls(const ScoreMatrix& matrix, const std::vector<int>& ancestors, int round,
                  double tolerance) {
  std::string words;
  for (const ScoreRow& row : matrix.rows) {
    // A round may lack a small set: its few rows could not be judged.
    const auto& last = row.cells[static_cast<std::size_t>(round)];
    if (row.kind == SetKind::part || !last) continue;
    const ScoreCell* best = &*last;
    for (const int ancestor : ancestors) {
      const auto& cell = row.cells[static_cast<std::size_t>(ancestor)];
      if (cell && cell->accuracy > best->accuracy) best = &*cell;
    }
    const double drop = best->accuracy - last->accuracy;
    if (drop <= tolerance || drop <= 2 * std::sqrt(variance(*best) + variance(*last))) continue;
    words += fmt::format("{}{} fell from {:.1f} % to {:.1f} %", words.empty() ? "" : "; ", row.set,
                         100 * best->accuracy, 100 * last->accuracy);
  }
  return words;
}

// Mean over own sets; a matrix without any: 0 for all rounds.
double mean_accuracy(const ScoreMatrix& matrix, int round) {
  double sum = 0;
  double sets = 0;
  for (const ScoreRow& row : matrix.rows) {
    const auto& cell = row.cells[static_cast<std::size_t>(round)];
    if (row.kind != SetKind::own || !cell) continue;
    sum += cell->accuracy;
    ++sets;
  }
  return sets > 0 ? sum / sets : 0;
}

}  // namespace

std::string_view to_string(SetKind kind) {
  switch (kind) {
    case SetKind::own:
      return "own";
    case SetKind::part:
      return "part";
    case SetKind::general:
      return "general";
    case SetKind::instruction:
      return "instruction";
    case SetKind::safety:
      return "safety";
  }
  throw Error(ErrorKind::bug, "to_string: not a kind of set");
}

ScoreMatrix score_matrix(std::span<const Sitting> by_round) {
  ScoreMatrix matrix{by_round.size(), {}};
  std::map<SetKey, ScoreRow> rows;
  for (std::size_t round = 0; round < by_round.size(); ++round) {
    for (const auto& [key, answers] : by_set(by_round[round])) {
      ScoreRow& row = rows[key];
      row.cells.resize(by_round.size());
      row.cells[round] = cell_of(answers);
    }
  }
  for (auto& [key, row] : rows) {
    row.kind = key.first;
    row.set = key.second;
    compare_with_last(row);
    matrix.rows.push_back(std::move(row));
  }
  return matrix;
}

Forgetting forgetting(std::span<const Sitting> by_round, std::uint64_t seed) {
  Forgetting result;
  result.matrix = score_matrix(by_round);
  for (std::size_t round = 0; round < by_round.size(); ++round)
    result.overall.push_back(overall_of(by_round[round], seed, round));
  double drops = 0;
  double sets = 0;
  for (const ScoreRow& row : result.matrix.rows) {
    if (row.kind != SetKind::own || !row.last_minus_best) continue;
    drops += *row.last_minus_best;
    ++sets;
  }
  if (sets > 0) result.mean_drop = drops / sets;
  if (by_round.size() < 2) return result;
  const auto change = [&](SetKind kind) {
    return change_of(by_round.front(), by_round.back(), kind, seed);
  };
  result.backward_transfer = change(SetKind::own);
  result.general = change(SetKind::general);
  result.instruction = change(SetKind::instruction);
  result.safety = change(SetKind::safety);
  return result;
}

int GateWalk::trips() const {
  return static_cast<int>(
      std::count_if(rounds.begin(), rounds.end(), [](const GateRound& r) { return r.tripped; }));
}

GateWalk walk_gate(const ScoreMatrix& matrix, const GateOptions& options) {
  check(options.tolerance >= 0, "walk_gate: negative tolerance");
  check(matrix.rounds > 0, "walk_gate: a matrix without S_0");
  GateWalk walk;
  std::vector<std::vector<int>> ancestors(matrix.rounds);  // of each round's student
  int best = 0;                                            // student that did not trip
  for (int round = 1; round < static_cast<int>(matrix.rounds); ++round) {
    GateRound step{round, walk.next_from, false, {}};
    std::vector<int>& line = ancestors[static_cast<std::size_t>(round)];
    line = ancestors[static_cast<std::size_t>(step.from)];
    line.push_back(step.from);
    step.words = falls(matrix, line, round, options.tolerance);
    step.tripped = !step.words.empty();
    if (!step.tripped && mean_accuracy(matrix, round) >= mean_accuracy(matrix, best)) best = round;
    walk.next_from = step.tripped && options.fall_back ? best : round;
    walk.rounds.push_back(std::move(step));
  }
  return walk;
}

}  // namespace tapir::evaluate
