// Lines 1 and 6 of the algorithm: fine-tuning.
#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "pipeline/run.h"
#include "pipeline/training_job.h"
#include "student/student_folder.h"

namespace tapir::pipeline {
namespace {

std::int64_t steps_for(std::int64_t tokens, std::int64_t batch_tokens) {
  return std::max<std::int64_t>(1, (tokens + batch_tokens / 2) / batch_tokens);
}

void copy_folder(const std::filesystem::path& from, const std::filesystem::path& place) {
  write_folder(place, [&](const std::filesystem::path& aside) {
    std::filesystem::copy(from, aside, std::filesystem::copy_options::recursive);
  });
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

}  // namespace

std::filesystem::path Run::metrics_file(const std::string& student) const {
  std::string name = student;
  std::replace(name.begin(), name.end(), '/', '-');
  return options_.run_dir / "metrics" / (name + ".jsonl");
}

student::TrainJob Run::job(const std::string& student, const std::filesystem::path& from) const {
  student::TrainJob job = training_job(recipe_);
  job.model_dir = from;
  job.output_dir = options_.run_dir / student_folder(student);
  job.io.token_cache = beside(job.output_dir, ".work");
  // The order of rows differs from round to round, and is the same in every arm.
  job.options.seed =
      RandomStream(recipe_.seed, "train", student.substr(student.find('/') + 1)).next();
  job.io.logging_dir = metrics_file(student).replace_extension("");
  job.io.metrics = metrics_file(student);
  job.io.stage = student + "/train";
  job.io.allow_other_machine = options_.allow_other_machine;
  return job;
}

Run::StageEnd Run::train_s0(const std::string& stage) {
  if (recipe_.student.s0 != "train") {
    const std::filesystem::path from = resolve(
        recipe_.student.s0 == "as_is" ? recipe_.student.model_name_or_path : recipe_.student.s0);
    const std::filesystem::path place = options_.run_dir / student_folder("s0");
    copy_folder(from, place);
    store_->put_training(stage, {.student = "s0",
                                 .folder = student_folder("s0"),
                                 .digest = student::student_digest(place)});
    return end_of(stage, 0);
  }
  return train(stage, "s0", first_job("s0", corpus_.rows));
}

Run::StageEnd Run::train_half(const std::string& stage, std::size_t half) {
  std::vector<Instruction> rows;
  std::copy_if(corpus_.rows.begin(), corpus_.rows.end(), std::back_inserter(rows),
               [&](const Instruction& row) { return half_of(row) == half; });
  return train(stage, kHalfStudents[half], first_job(kHalfStudents[half], rows));
}

std::size_t Run::half_of(const Instruction& row) const {
  return RandomStream(recipe_.seed, "cross_fit", row.id).below(kHalfStudents.size());
}

student::TrainJob Run::first_job(const std::string& student,
                                 const std::vector<Instruction>& rows) const {
  student::TrainJob s0 = job(student, resolve(recipe_.student.model_name_or_path));
  if (recipe_.s0_train.learning_rate) s0.options.learning_rate = *recipe_.s0_train.learning_rate;
  if (recipe_.s0_train.num_train_epochs)
    s0.options.num_train_epochs = *recipe_.s0_train.num_train_epochs;
  if (recipe_.s0_train.tokens > 0)
    s0.options.max_steps = steps_for(recipe_.s0_train.tokens, recipe_.train.batch_tokens);
  for (const Instruction& row : rows) {
    const auto answer = corpus_.answers.find(row.id);
    if (answer != corpus_.answers.end()) s0.examples.push_back(make_example(row, answer->second));
  }
  return s0;
}

Run::StageEnd Run::train_round(const std::string& stage, const std::string& name, int round) {
  const std::string student = student_name(name, round);
  const int from = starts_from(name, round);
  const std::string before = student_name(name, from);
  student::TrainJob round_job = job(student, options_.run_dir / student_folder(before));
  round_job.examples = examples_of(name, round);
  const std::int64_t rounds = recipe_.curriculum.rounds;
  std::int64_t steps = 0;
  if (recipe_.train.tokens > 0) {
    steps = steps_for(recipe_.train.tokens / rounds, recipe_.train.batch_tokens);
  } else if (name != kMainArm) {
    // Equal tokens: as many steps of as many tokens as the main arm took in this round.
    for (const store::TrainRecord& record : store_->trainings()) {
      if (record.student == student_name(kMainArm, round)) steps = record.steps;
    }
  }
  round_job.options.max_steps = steps;
  if (recipe_.train.schedule_scope == "run") {
    if (steps == 0) steps = engine_->preflight(round_job).steps;
    round_job.options.schedule_total_steps = steps * rounds;
    round_job.options.schedule_first_step = steps * (round - 1);
    if (from > 0) round_job.optimizer_from = options_.run_dir / student_folder(before);
  }
  return train(stage, student, round_job);
}

std::vector<Example> Run::examples_of(const std::string& name, int round) const {
  std::map<std::string, std::map<std::string, std::string>> answers;  // [author][instruction]
  std::map<std::string, Instruction> rows;
  for (const Instruction& row : store_->instructions()) rows.emplace(row.id, row);
  std::vector<Example> examples;
  for (const MixtureRow& row : store_->mixture(name, round)) {
    if (row.author != "data" && !answers.contains(row.author)) {
      for (const Response& r : store_->responses(row.author))
        answers[row.author][r.instruction_id] = r.text;
    }
    const auto& by_author = answers[row.author];
    const auto styled = by_author.find(row.instruction_id);
    const auto kept = corpus_.answers.find(row.instruction_id);
    // A row whose refinement failed for good is trained on with the answer that D has; its failure
    // stands in the ledger.
    check(styled != by_author.end() || kept != corpus_.answers.end(),
          "every row of a mixture has an answer");
    const std::string& answer = styled != by_author.end() ? styled->second : kept->second;
    examples.push_back(make_example(rows.at(row.instruction_id), answer));
    if (row.repeat > 0) examples.back().id += fmt::format("#{}", row.repeat + 1);
  }
  return examples;
}

Run::StageEnd Run::train(const std::string& stage, const std::string& student,
                         const student::TrainJob& job) {
  if (job.examples.empty()) {
    throw Error(ErrorKind::data, stage + ": there is no row to train on",
                "look at `tapir status` for where rows went");
  }
  std::filesystem::create_directories(job.output_dir.parent_path());
  std::filesystem::create_directories(job.io.metrics.parent_path());
  const student::Preflight preflight = engine_->preflight(job);
  refuse_rows_without_loss(preflight, stage);
  progress_.message(
      fmt::format("{}: {} rows, {} truncated, {} tokens, {:.0f} % of them learnt, {} steps", stage,
                  preflight.rows, preflight.truncated_rows, preflight.tokens,
                  100.0 * static_cast<double>(preflight.supervised_tokens) /
                      static_cast<double>(std::max<std::int64_t>(1, preflight.tokens)),
                  preflight.steps));
  const student::TrainResult result = engine_->train(job, progress_, stop_);
  if (!result.finished) {
    throw Error(ErrorKind::interrupted, "interrupted in " + stage,
                "the same command goes on from the last checkpoint");
  }
  std::set<std::string> distinct;
  for (const Example& example : job.examples)
    distinct.insert(example.id.substr(0, example.id.find('#')));
  const auto seen = std::min<std::int64_t>(result.rows, static_cast<std::int64_t>(distinct.size()));
  store_->put_training(stage, {.student = student,
                               .steps = result.steps,
                               .tokens = result.tokens,
                               .supervised_tokens = result.supervised_tokens,
                               .rows = result.rows,
                               .distinct_rows = seen,
                               .first_loss = result.first_loss,
                               .last_loss = result.last_loss,
                               .seconds = result.seconds,
                               .folder = student_folder(student),
                               .digest = student::student_digest(job.output_dir)});
  StageEnd end;
  end.ledger.in = end.ledger.done = job.examples.size();
  return end;
}

void Run::publish_final() {
  // Set when the gate on forgetting settled on another than the last.
  std::string student = store_->meta("final").value_or("");
  if (student.empty())
    student = student_name(kMainArm, static_cast<int>(recipe_.curriculum.rounds));
  const std::filesystem::path place = options_.run_dir / "students" / "final";
  const std::filesystem::path from = options_.run_dir / student_folder(student);
  if (std::filesystem::exists(place) &&
      student::student_digest(place) == student::student_digest(from))
    return;
  copy_folder(from, place);
}

}  // namespace tapir::pipeline
