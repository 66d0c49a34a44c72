#include "pipeline/teach_files.h"

#include <algorithm>

#include "base/error.h"
#include "dataset/write_rows.h"
#include "pipeline/cleaning.h"
#include "pipeline/options.h"
#include "pipeline/row_files.h"
#include "pipeline/task_files.h"
#include "rubric/read_rubric.h"
#include "teach/teach.h"

namespace tapir::pipeline {
namespace {

constexpr const char* kArm = "file";  // of rows that no run made: enters their ids

std::map<std::string, std::int64_t> needed_of(const std::map<std::string, TaskCount>& tasks) {
  std::map<std::string, std::int64_t> needed;
  for (const auto& [task, count] : tasks) {
    if (count.missing() > 0) needed[task] = count.missing();
  }
  return needed;
}

// components: of the rows that were asked to ask for them, by id.
void write_styled(const std::vector<dataset::DataRow>& rows, const tasks::Taxonomy& taxonomy,
                  const std::string& output, const std::map<std::string, Json>& components = {}) {
  RowsOut out(output);
  for (const dataset::DataRow& row : rows) {
    OrderedJson written = dataset::row_json(row, dataset::question_key(rows));
    written["style"] = taxonomy.style_of(row.instruction.task).first;
    const auto asked = components.find(row.instruction.id);
    if (asked != components.end()) written["components"] = asked->second;
    out.add(written);
  }
  out.finish();
}

}  // namespace

TeachFileSummary expand_file(const Recipe& recipe, const ExpandFileOptions& options,
                             ProgressSink& progress, std::stop_token stop) {
  if (options.rows < 1) {
    throw Error(ErrorKind::usage, "expand: expected the number of rows that are wanted in all",
                "add --rows N");
  }
  const tasks::Taxonomy taxonomy = taxonomy_of(recipe);
  const std::vector<dataset::DataRow> rows = read_rows_of(options.files);
  const auto needed = needed_of(task_counts(rows, taxonomy, options.rows));
  std::map<std::string, std::vector<Instruction>> seeds;
  const std::unique_ptr<teach::Novelty> novelty = novelty_of(recipe);
  for (const dataset::DataRow& row : rows) {
    seeds[row.instruction.task].push_back(row.instruction);
    novelty->add(row.instruction);
  }
  for (const std::string& file : options.known) {
    for (const dataset::DataRow& row : dataset::read_instructions(file))
      novelty->add(row.instruction);
  }
  FileStage stage(recipe, options.files, "expand", progress, stop);
  std::vector<dataset::DataRow> made;
  std::map<std::string, Json> components;
  std::map<std::string, std::string> failed;
  const auto keep = [&](const teach::ExpandedRow& row) {
    if (row.instruction.messages.empty()) failed[row.instruction.id] = row.outcome;
    if (row.outcome != "kept") return;
    made.emplace_back();
    made.back().instruction = row.instruction;
    if (recipe.teach.layers > 0) {
      components[row.instruction.id] = rubric::rubric_to_json(requirements_of(recipe, row.request));
    }
  };
  const auto expanded =
      teach::expand(stage.model(RoleName::teacher), prompts_of(recipe), taxonomy, seeds, needed,
                    *novelty, expand_options(recipe, kArm, options.round), keep, progress, stop);
  stage.check_complete(expanded.complete, RoleName::teacher);
  stage.finish(failed);
  write_styled(made, taxonomy, options.files.output, components);
  return {expanded.ledger, static_cast<std::int64_t>(made.size()), expanded.missing, stage.usd()};
}

TeachFileSummary refine_file(const Recipe& recipe, const StageFiles& files, ProgressSink& progress,
                             std::stop_token stop) {
  const tasks::Taxonomy taxonomy = taxonomy_of(recipe);
  const prompting::PromptSet prompts = prompts_of(recipe);
  const std::vector<dataset::DataRow> rows = read_rows_of(files);
  std::vector<teach::RefineRow> asked;
  for (const dataset::DataRow& row : rows)
    asked.push_back({row.instruction, row.response.value_or("")});
  FileStage stage(recipe, files, "refine", progress, stop);
  std::map<std::string, std::string> answers;  // by the row's id
  std::map<std::string, std::string> failed;   // likewise, with the reason
  teach::RefineOptions options;
  options.sampling = sampling_of(recipe.teacher);
  options.max_in_flight = in_flight(recipe.teacher);
  const auto refined = teach::refine(
      stage.model(RoleName::teacher), prompts, taxonomy, asked, options,
      [&](const Response& response) { answers[response.instruction_id] = response.text; },
      [&](const std::string& id, const std::string& reason) { failed[id] = reason; }, progress,
      stop);
  stage.check_complete(refined.complete, RoleName::teacher);
  stage.finish(failed);
  std::vector<dataset::DataRow> made;
  for (const dataset::DataRow& row : rows) {
    const auto answer = answers.find(row.instruction.id);
    if (answer == answers.end()) continue;
    made.push_back(row);
    Instruction& instruction = made.back().instruction;
    instruction.parent_id = row.instruction.id;
    instruction.id = instruction_id(row.instruction.id, "refine", prompts.version("refine"), 0);
    made.back().response = answer->second;
    std::erase(made.back().not_learnt, instruction.messages.size());
  }
  write_styled(made, taxonomy, files.output);
  return {refined.ledger, static_cast<std::int64_t>(made.size()), {}, stage.usd()};
}

}  // namespace tapir::pipeline
