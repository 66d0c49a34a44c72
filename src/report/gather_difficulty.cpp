#include <algorithm>
#include <cmath>

#include "report/gather.h"

namespace tapir::report {
namespace {

double bin_of(double gap, double width) { return std::floor(gap / width + 1e-9) * width; }

void read_components(const Json& info, Difficulty& difficulty) {
  if (!info.contains("components") || !info["components"].is_array()) return;
  for (const Json& row : info["components"]) {
    if (!row.is_object() || !row.contains("kind") || !row["kind"].is_string()) continue;
    difficulty.components.push_back({row["kind"].get<std::string>(),
                                     row.value("components", std::int64_t{0}),
                                     row.value("teacher", 0.0), row.value("student", 0.0)});
  }
}

void read_stage_info(const store::RunStore& store, Difficulty& difficulty) {
  const auto stage = store.stage("difficulty");
  if (!stage) return;
  const Json info = read_info(stage->info);
  if (!info.is_object()) return;
  if (info.contains("threshold") && info["threshold"].is_number())
    difficulty.threshold = info["threshold"];
  if (info.contains("strict") && info["strict"].is_boolean()) difficulty.strict = info["strict"];
  if (info.contains("band") && info["band"].is_number())
    difficulty.band = info["band"].get<double>();
  difficulty.method = info.value("method", difficulty.method);
  difficulty.judge = gather_judge(store, info);
  read_components(info, difficulty);
  if (difficulty.method != "ifd") return;
  // The lowest ratio that the selection kept.
  const auto select = store.stage("select");
  const Json selected = select ? read_info(select->info) : Json();
  difficulty.strict = false;
  difficulty.threshold = selected.is_object() ? selected.value("lowest", 1.0) : 1.0;
}

void count_gaps(const store::RunStore& store, const std::vector<Fit>& fits,
                Difficulty& difficulty) {
  std::map<std::string, std::string> task_of;
  for (const Instruction& row : store.instructions(0)) task_of[row.id] = row.task;
  std::map<std::string, TaskGaps> tasks;
  for (const Fit& fit : fits) {
    const bool hard = is_hard(difficulty, fit.difficulty());
    const auto found = task_of.find(fit.instruction_id);
    TaskGaps& task = tasks[found == task_of.end() ? "" : found->second];
    for (auto* counts : {&difficulty.histogram, &task.histogram})
      ++(*counts)[bin_of(fit.difficulty(), difficulty.bin())];
    ++difficulty.rows;
    ++task.rows;
    difficulty.hard += hard;
    task.hard += hard;
    difficulty.truncated += fit.truncated;
    difficulty.mean += fit.difficulty();
    task.mean += fit.difficulty();
  }
  if (difficulty.rows > 0) difficulty.mean /= static_cast<double>(difficulty.rows);
  for (auto& [name, task] : tasks) {
    task.task = name;
    task.mean /= static_cast<double>(task.rows);
    difficulty.by_task.push_back(std::move(task));
  }
  for (double threshold = 0; threshold <= 8; threshold += 0.5) {
    Difficulty::Kept kept{.threshold = threshold};
    for (const Fit& fit : fits) {
      kept.above += fit.difficulty() > threshold;
      kept.at_least += fit.difficulty() >= threshold;
    }
    difficulty.thresholds.push_back(kept);
  }
}

// The last readable judgment of each pair in each order.
void count_orders(const std::vector<Judgment>& judgments, Difficulty& difficulty) {
  struct Gaps {
    std::optional<double> by_order[2];
    int attempt[2] = {-1, -1};
  };
  std::map<std::string, Gaps> pairs;
  for (const Judgment& judgment : judgments) {
    if (!judgment.teacher_score || !judgment.student_score) {
      ++difficulty.unread;
      continue;
    }
    const std::size_t order = judgment.order == Order::teacher_first ? 0 : 1;
    Gaps& gaps = pairs[judgment.instruction_id];
    if (judgment.attempt < gaps.attempt[order]) continue;
    gaps.attempt[order] = judgment.attempt;
    gaps.by_order[order] = *judgment.teacher_score - *judgment.student_score;
  }
  std::map<std::pair<double, double>, std::int64_t> points;
  for (const auto& [id, gaps] : pairs) {
    if (!gaps.by_order[0] || !gaps.by_order[1]) continue;
    ++difficulty.both_orders;
    difficulty.flips +=
        is_hard(difficulty, *gaps.by_order[0]) != is_hard(difficulty, *gaps.by_order[1]);
    ++points[{std::round(*gaps.by_order[0]), std::round(*gaps.by_order[1])}];
  }
  for (const auto& [gaps, count] : points)
    difficulty.orders.push_back({gaps.first, gaps.second, count});
}

std::optional<GapSummary> gaps_of(const store::RunStore& store, const std::string& author,
                                  const Difficulty& difficulty) {
  GapSummary summary;
  for (const Fit& fit : store.fits(author)) {
    ++summary.rows;
    summary.hard += is_hard(difficulty, fit.difficulty());
    summary.mean += fit.difficulty();
  }
  if (summary.rows == 0) return std::nullopt;
  summary.mean /= static_cast<double>(summary.rows);
  return summary;
}

// Where students of later rounds were judged too: rows that were hard every time.
void count_never_reached(const store::RunStore& store, const std::vector<Fit>& fits,
                         Difficulty& difficulty) {
  std::map<std::string, int> times_hard;
  for (const Fit& fit : fits) {
    if (is_hard(difficulty, fit.difficulty())) times_hard[fit.instruction_id] = 1;
  }
  for (const std::string& author : store.authors()) {
    if (!author.starts_with("student/") || author == "student/s0" ||
        author.find('@') != std::string::npos)
      continue;
    const std::vector<Fit> again = store.fits(author);
    if (again.empty()) continue;
    ++difficulty.judgings;
    for (const Fit& fit : again) {
      const auto found = times_hard.find(fit.instruction_id);
      if (found != times_hard.end() && is_hard(difficulty, fit.difficulty())) ++found->second;
    }
  }
  if (difficulty.judgings < 2) return;
  for (const auto& [id, times] : times_hard)
    difficulty.never_reached += times == difficulty.judgings;
}

}  // namespace

Difficulty gather_difficulty(const store::RunStore& store) {
  Difficulty difficulty;
  read_stage_info(store, difficulty);
  const std::vector<Fit> fits = store.fits("student/s0");
  count_gaps(store, fits, difficulty);
  count_orders(store.judgments("student/s0"), difficulty);
  difficulty.held_out = gaps_of(store, "student/s0@held_out", difficulty);
  count_never_reached(store, fits, difficulty);
  return difficulty;
}

}  // namespace tapir::report
