#include "pipeline/task_files.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "base/strings.h"
#include "curriculum/curriculum.h"
#include "difficulty/difficulty.h"
#include "pipeline/find_tasks.h"
#include "pipeline/options.h"
#include "pipeline/row_files.h"

namespace tapir::pipeline {
namespace {

std::vector<Instruction> instructions_of(const std::vector<dataset::DataRow>& rows) {
  std::vector<Instruction> instructions;
  for (const dataset::DataRow& row : rows) instructions.push_back(row.instruction);
  return instructions;
}

FoundTasks find(const Recipe& recipe, const ClassifyOptions& options,
                const std::vector<Instruction>& rows, ProgressSink& progress, std::stop_token stop,
                double& usd) {
  if (!options.labelled.empty()) {
    return find_tasks_as(read_labelled(options.labelled, recipe.tasks.label_field), rows,
                         {options.held_out, recipe.seed});
  }
  const tasks::Taxonomy taxonomy = taxonomy_of(recipe);
  const prompting::PromptSet prompts = prompts_of(recipe);
  std::optional<FileStage> stage;
  const auto teacher = [&]() -> llm::ChatModel& {
    stage.emplace(recipe, options.files, "tasks", progress, stop);
    return stage->model(RoleName::teacher);
  };
  FoundTasks found = find_tasks({recipe, taxonomy, prompts, teacher}, rows, progress, stop);
  if (stage) {
    stage->check_complete(found.complete, RoleName::teacher);
    stage->finish(found.unlabelled);
    usd = stage->usd();
  }
  return found;
}

// The scores of a row; nothing where the judge could not be read.
std::optional<Fit> fit_of(const dataset::DataRow& row) {
  const auto scores = row.fields.find("scores");
  if (scores == row.fields.end() || scores->is_null()) return std::nullopt;
  Fit fit;
  fit.instruction_id = row.instruction.id;
  fit.teacher_score = json_get<double>(*scores, "teacher", row.where);
  fit.student_score = json_get<double>(*scores, "student", row.where);
  return fit;
}

}  // namespace

ClassifySummary classify_file(const Recipe& recipe, const ClassifyOptions& options,
                              ProgressSink& progress, std::stop_token stop) {
  const std::vector<dataset::DataRow> rows = read_rows_of(options.files);
  ClassifySummary summary;
  const FoundTasks found =
      find(recipe, options, instructions_of(rows), progress, std::move(stop), summary.usd);
  summary.info = found.info;
  RowsOut out(options.files.output);
  for (const dataset::DataRow& row : rows) {
    const tasks::Label& label = found.labels.at(row.instruction.id);
    Json written = row_to_write(row);
    written["task"] = label.task;
    written["confidence"] = label.confidence;
    out.add(written);
    ++summary.rows;
    ++summary.tasks[label.task];
  }
  out.finish();
  return summary;
}

std::map<std::string, TaskCount> task_counts(const std::vector<dataset::DataRow>& rows,
                                             const tasks::Taxonomy& taxonomy, std::int64_t total) {
  std::map<std::string, TaskCount> counts;
  for (const auto& [task, target] : curriculum::apportion(total, taxonomy.shares()))
    counts[task].target = target;
  for (const dataset::DataRow& row : rows) {
    const std::string& task = row.instruction.task;
    if (task.empty()) {
      throw Error(ErrorKind::data, row.where + ": the row has no \"task\"",
                  "`tapir classify` gives every row one");
    }
    const auto found = counts.find(task);
    if (found == counts.end()) {
      throw Error(ErrorKind::data,
                  row.where + ": the task \"" + task + "\" is not in the taxonomy \"" +
                      taxonomy.name + "\"",
                  "its tasks: " + join(taxonomy.names(), ", "));
    }
    ++found->second.available;
  }
  return counts;
}

BalanceSummary balance_file(const Recipe& recipe, const StageFiles& files, std::int64_t total) {
  const std::vector<dataset::DataRow> rows = read_rows_of(files);
  BalanceSummary summary;
  summary.rows = static_cast<std::int64_t>(rows.size());
  summary.tasks = task_counts(rows, taxonomy_of(recipe), total > 0 ? total : summary.rows);
  std::map<std::string, std::vector<std::string>> ids;  // by task
  for (const dataset::DataRow& row : rows) ids[row.instruction.task].push_back(row.instruction.id);
  std::set<std::string> kept;
  for (auto& [task, of_task] : ids) {
    std::sort(of_task.begin(), of_task.end());
    RandomStream(recipe.seed, "balance", task).shuffle(of_task);
    const auto most = static_cast<std::size_t>(summary.tasks.at(task).target);
    if (of_task.size() > most) of_task.resize(most);
    kept.insert(of_task.begin(), of_task.end());
  }
  RowsOut out(files.output);
  for (const dataset::DataRow& row : rows) {
    if (kept.contains(row.instruction.id)) out.add(row_to_write(row));
  }
  out.finish();
  summary.kept = static_cast<std::int64_t>(kept.size());
  return summary;
}

SelectSummary select_file(const Recipe& recipe, const StageFiles& files, bool hard_only) {
  const std::vector<dataset::DataRow> rows = read_rows_of(files);
  const difficulty::SelectOptions options = select_options(recipe);
  SelectSummary summary;
  RowsOut out(files.output);
  for (const dataset::DataRow& row : rows) {
    const auto fit = fit_of(row);
    const bool hard = fit && difficulty::is_hard(*fit, options);
    ++summary.rows;
    summary.hard += hard ? 1 : 0;
    summary.unjudged += fit ? 0 : 1;
    if (hard_only && !hard) continue;
    Json written = row_to_write(row);
    written["hard"] = fit ? Json(hard) : Json(nullptr);
    out.add(written);
  }
  if (summary.unjudged == summary.rows) {
    throw Error(ErrorKind::data, "not one row has \"scores\"", "`tapir judge` gives them");
  }
  out.finish();
  return summary;
}

}  // namespace tapir::pipeline
