// `tapir classify`, `balance` and `select`: the stages between difficulty and teaching, on files.
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/progress.h"
#include "pipeline/file_stage.h"
#include "tasks/taxonomy.h"

namespace tapir::pipeline {

// ---- classify ----
struct ClassifyOptions {
  StageFiles files;
  // Rows with "task" to learn from, in any form; empty: as tasks.classifier says.
  std::string labelled;
  double held_out = 0.2;  // of the labelled rows, to measure on; 0: not measured
};

struct ClassifySummary {
  std::int64_t rows = 0;
  std::map<std::string, std::int64_t> tasks;
  Json info;  // FoundTasks::info
  double usd = 0;
};

// Rows -> the same with "task" and "confidence". Keys read: tasks, teacher, teach.prompts, budget,
// seed. With labelled rows nobody is asked, and the tasks are theirs, not the taxonomy's.
ClassifySummary classify_file(const Recipe& recipe, const ClassifyOptions& options,
                              ProgressSink& progress, std::stop_token stop);

// ---- balance ----
struct TaskCount {
  std::int64_t available = 0;
  std::int64_t target = 0;
  std::int64_t missing() const { return target > available ? target - available : 0; }
};
// How many rows of each task of the taxonomy a set of so many rows has (largest remainder), and how
// many there are. Error{data} naming the row whose task is missing or not in the taxonomy.
std::map<std::string, TaskCount> task_counts(const std::vector<dataset::DataRow>& rows,
                                             const tasks::Taxonomy& taxonomy, std::int64_t total);

struct BalanceSummary {
  std::int64_t rows = 0;
  std::int64_t kept = 0;
  std::map<std::string, TaskCount> tasks;
};
// Keeps of each task at most its share of `total` rows (0: of as many as the input has), drawn by
// the seed; the rows come in the order of the input. What a task lacks is `tapir expand`'s work.
// Keys read: tasks.taxonomy, seed.
BalanceSummary balance_file(const Recipe& recipe, const StageFiles& files, std::int64_t total);

// ---- select ----
struct SelectSummary {
  std::int64_t rows = 0;
  std::int64_t hard = 0;
  std::int64_t unjudged = 0;  // "scores" null or not there: "hard" is null
};
// Rows with "scores": {"teacher", "student"} (as `tapir judge` writes them) -> the same with
// "hard". hard_only: the hard rows alone. Keys read: difficulty.
SelectSummary select_file(const Recipe& recipe, const StageFiles& files, bool hard_only);

}  // namespace tapir::pipeline
