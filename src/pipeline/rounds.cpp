#include "pipeline/rounds.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "pipeline/evaluation_sets.h"
#include "pipeline/plan.h"
#include "pipeline/training_job.h"
#include "student/student_folder.h"

namespace tapir::pipeline {

std::map<std::string, std::string> recorded_answers(const store::RunStore& store) {
  std::map<std::string, std::string> answers;
  for (const char* author : {"data", kTeacherAuthor}) {
    for (Response& r : store.responses(author)) answers[r.instruction_id] = std::move(r.text);
  }
  return answers;
}

std::vector<evaluate::Sitting> sittings_of(const store::RunStore& store, const std::string& arm,
                                           int round) {
  std::map<std::string, std::string> source_of;
  for (const Instruction& row : store.instructions(kHeldOut)) source_of[row.id] = row.source;
  std::vector<evaluate::Sitting> by_round;
  for (int r = 0; r <= round; ++r)
    by_round.push_back(sitting_of(store.exam_rows(student_name(arm, r)), source_of));
  return by_round;
}

evaluate::GateWalk walk_gate_of(const RunView& run, int round) {
  const auto& c = run.recipe.curriculum;
  return evaluate::walk_gate(evaluate::score_matrix(sittings_of(run.store, kMainArm, round)),
                             {c.forgetting_tolerance, c.forgetting_gate == "fall_back"});
}

int starts_from(const RunView& run, const std::string& arm, int round) {
  if (arm != kMainArm || run.recipe.curriculum.forgetting_gate != "fall_back") return round - 1;
  return walk_gate_of(run, round - 1).next_from;
}

std::vector<Example> examples_of(const store::RunStore& store, const std::string& arm, int round) {
  const std::map<std::string, std::string> recorded = recorded_answers(store);
  std::map<std::string, std::map<std::string, std::string>> answers;  // [author][instruction]
  std::map<std::string, Instruction> rows;
  for (const Instruction& row : store.instructions()) rows.emplace(row.id, row);
  std::vector<Example> examples;
  for (const MixtureRow& row : store.mixture(arm, round)) {
    if (row.author != "data" && !answers.contains(row.author)) {
      for (const Response& r : store.responses(row.author))
        answers[row.author][r.instruction_id] = r.text;
    }
    const auto& by_author = answers[row.author];
    const auto styled = by_author.find(row.instruction_id);
    const auto kept = recorded.find(row.instruction_id);
    // A row whose refinement failed for good is trained on with the answer that D has; its failure
    // stands in the ledger.
    check(styled != by_author.end() || kept != recorded.end(),
          "every row of a mixture has an answer");
    const std::string& answer = styled != by_author.end() ? styled->second : kept->second;
    examples.push_back(make_example(rows.at(row.instruction_id), answer));
    if (row.repeat > 0) examples.back().id += fmt::format("#{}", row.repeat + 1);
  }
  return examples;
}

student::TrainJob student_job(const Recipe& recipe, const std::string& student) {
  student::TrainJob job = training_job(recipe);
  // The order of rows differs from round to round, and is the same in every arm.
  job.options.seed =
      RandomStream(recipe.seed, "train", student.substr(student.find('/') + 1)).next();
  job.io.stage = student + "/train";
  return job;
}

std::filesystem::path merged_folder(const Recipe& recipe, const std::filesystem::path& before) {
  const bool merges = recipe.train.between_rounds == "merge";
  return merges && student::find_student(before).is_adapter() ? beside(before, ".merged")
                                                              : std::filesystem::path();
}

student::TrainJob round_job(const RunView& run, const std::string& arm, int round) {
  const Recipe& recipe = run.recipe;
  const int from = starts_from(run, arm, round);
  const std::filesystem::path before = run.folder / student_folder(student_name(arm, from));
  student::TrainJob job = student_job(recipe, student_name(arm, round));
  const std::filesystem::path merged = merged_folder(recipe, before);
  job.model_dir = merged.empty() ? before : merged;
  job.examples = examples_of(run.store, arm, round);
  const std::int64_t rounds = recipe.curriculum.rounds;
  std::int64_t steps = 0;
  if (recipe.train.tokens > 0) {
    steps = steps_for(recipe.train.tokens / rounds, recipe.train.batch_tokens);
  } else if (arm != kMainArm) {
    // Equal tokens: as many steps of as many tokens as the main arm took in this round.
    for (const store::TrainRecord& record : run.store.trainings()) {
      if (record.student == student_name(kMainArm, round)) steps = record.steps;
    }
  }
  job.options.max_steps = steps;
  if (recipe.train.schedule_scope == "run") {
    if (steps == 0) steps = run.engine.preflight(job).steps;
    job.options.schedule_total_steps = steps * rounds;
    job.options.schedule_first_step = steps * (round - 1);
    if (from > 0) job.optimizer_from = before;
  }
  return job;
}

std::int64_t steps_for(std::int64_t tokens, std::int64_t batch_tokens) {
  return std::max<std::int64_t>(1, (tokens + batch_tokens / 2) / batch_tokens);
}

void refuse_rows_without_loss(const student::Preflight& preflight, const std::string& stage) {
  if (preflight.rows_without_loss == 0) return;
  std::string ids;
  for (const std::string& id : preflight.ids_without_loss) ids += (ids.empty() ? "" : ", ") + id;
  throw Error(ErrorKind::data,
              fmt::format("{}: {} of {} rows have no token to learn (first: {})", stage,
                          preflight.rows_without_loss, preflight.rows, ids),
              "their prompts fill train.cutoff_len: raise it, or take the rows out");
}

}  // namespace tapir::pipeline
