// `tapir expand` and `tapir refine`: the teacher's work, on files.
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "pipeline/file_stage.h"
#include "records/ledger.h"

namespace tapir::pipeline {

struct ExpandFileOptions {
  StageFiles files;                // input: the seeds, rows with "task"
  std::vector<std::string> known;  // more rows that new ones must not be like
  std::int64_t rows = 0;           // that seeds and new rows have together; at least 1
  int round = 1;                   // enters the new rows' ids
};

struct TeachFileSummary {
  Ledger ledger;                                // of the requests (expand), of the rows (refine)
  std::int64_t rows = 0;                        // written
  std::map<std::string, std::int64_t> missing;  // expand: by task, not reached in the attempts
  double usd = 0;                               // spent in this sitting
};

// Asks for new instructions of the tasks that the seeds lack, to the shares of the taxonomy: rows
// {"id", "instruction", "task", "parent_id", "round", "style", "source"}, without a response
// (`tapir refine` gives it, in the style). What was refused is in the ledger by reason. Keys read:
// tasks.taxonomy, teacher, teach.prompts, teach.max_attempts_per_row, teach.novelty,
// data.decontaminate_against, budget, seed.
TeachFileSummary expand_file(const Recipe& recipe, const ExpandFileOptions& options,
                             ProgressSink& progress, std::stop_token stop);

// Rows with "task" -> new rows of the same instructions with the teacher's answer in the task's
// style: {"id", ..., "response", "parent_id", "style"}; parent_id is the row's id. A "response"
// that the row has is what the teacher improves on. Rows that the teacher did not answer are not
// written and counted. Keys read: tasks.taxonomy, teacher, teach.prompts, budget.
TeachFileSummary refine_file(const Recipe& recipe, const StageFiles& files, ProgressSink& progress,
                             std::stop_token stop);

}  // namespace tapir::pipeline
