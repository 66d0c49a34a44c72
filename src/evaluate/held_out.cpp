#include "evaluate/held_out.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "base/strings.h"
#include "stats/resampling.h"

namespace tapir::evaluate {
namespace {

constexpr std::size_t kChunk = 64;  // rows between two looks at the stop; speed only

store::ExamRow exam_row(const std::string& student, const HeldOutRow& row,
                        const student::TokenLosses& losses) {
  store::ExamRow out{.student = student,
                     .item_id = row.instruction.id,
                     .set = row.set,
                     .family = row.instruction.task,
                     .answer = row.answer,
                     .correct = row.reached,
                     .score = *row.score};
  // A prompt that fills the context leaves no token to foresee.
  if (!losses.logprobs.empty()) out.loss = losses.loss;
  out.loss_tokens = static_cast<std::int64_t>(losses.logprobs.size());
  return out;
}

std::map<std::string, const store::ExamRow*> by_id(std::span<const store::ExamRow> rows) {
  std::map<std::string, const store::ExamRow*> found;
  for (const store::ExamRow& row : rows) {
    if (row.set == store::kHeldOutSet) found[row.item_id] = &row;
  }
  return found;
}

double characters_of(const store::ExamRow& row) {
  return static_cast<double>(count_code_points(row.answer));
}

PairedDifference paired(std::vector<double> differences, std::uint64_t seed,
                        std::string_view name) {
  if (differences.empty()) return {};
  const stats::MacroComparison result = stats::compare_macro({std::move(differences)}, seed, name);
  return {result.difference, result.interval, result.p};
}

}  // namespace

bool take_losses(const student::Student& student, const std::string& name,
                 std::span<const Example> rows,
                 const std::function<void(std::size_t, const student::TokenLosses&)>& keep,
                 ProgressSink& progress, std::stop_token stop) {
  ProgressUpdate update{.stage = "exam " + name, .total = rows.size()};
  for (std::size_t start = 0; start < rows.size(); start += kChunk) {
    if (stop.stop_requested()) return false;
    const auto chunk = rows.subspan(start, std::min(kChunk, rows.size() - start));
    const std::vector<student::TokenLosses> losses = student.token_losses(chunk);
    for (std::size_t i = 0; i < chunk.size(); ++i) keep(start + i, losses[i]);
    update.done += chunk.size();
    progress.update(update);
  }
  return true;
}

bool measure_held_out(const student::Student& student, const std::string& name,
                      std::span<const HeldOutRow> rows,
                      const std::function<void(const store::ExamRow&)>& keep,
                      ProgressSink& progress, std::stop_token stop) {
  std::vector<Example> examples;
  for (const HeldOutRow& row : rows) {
    check(row.score.has_value(), "held-out rows are judged before they are measured");
    examples.push_back(make_example(row.instruction, row.reference));
  }
  return take_losses(
      student, name, examples,
      [&](std::size_t place, const student::TokenLosses& losses) {
        keep(exam_row(name, rows[place], losses));
      },
      progress, stop);
}

HeldOutFigures held_out_figures(std::span<const store::ExamRow> rows) {
  HeldOutFigures figures;
  double tokens = 0;
  for (const auto& [id, row] : by_id(rows)) {
    ++figures.items;
    if (row->loss) {
      figures.loss += *row->loss * static_cast<double>(row->loss_tokens);
      tokens += static_cast<double>(row->loss_tokens);
    }
    figures.score += row->score;
    figures.reached += row->correct ? 1 : 0;
    figures.characters += characters_of(*row);
  }
  const double items = std::max(1.0, static_cast<double>(figures.items));
  figures.loss /= std::max(1.0, tokens);
  figures.score /= items;
  figures.reached /= items;
  figures.characters /= items;
  return figures;
}

HeldOutComparison compare_held_out(std::span<const store::ExamRow> a,
                                   std::span<const store::ExamRow> b, std::uint64_t seed) {
  const auto others = by_id(b);
  HeldOutComparison result;
  std::vector<double> losses;
  std::vector<double> wins;
  std::vector<double> characters;
  for (const auto& [id, row] : by_id(a)) {
    const auto other = others.find(id);
    if (other == others.end()) continue;
    const double ahead = row->score - other->second->score;
    const bool tie = std::fabs(ahead) < 1e-9;
    wins.push_back(tie ? 0.5 : (ahead > 0 ? 1.0 : 0.0));
    result.ties += tie ? 1 : 0;
    characters.push_back(characters_of(*row) - characters_of(*other->second));
    if (row->loss && other->second->loss) losses.push_back(*row->loss - *other->second->loss);
  }
  result.items = static_cast<std::int64_t>(wins.size());
  if (wins.empty()) return result;
  result.loss = paired(std::move(losses), seed, "held_out/loss");
  result.characters = paired(std::move(characters), seed, "held_out/characters");
  result.wins = stats::mean(wins);
  RandomStream stream(seed, "compare/wins", store::kHeldOutSet);
  result.wins_interval = stats::bootstrap_mean(wins, stream);
  return result;
}

}  // namespace tapir::evaluate
