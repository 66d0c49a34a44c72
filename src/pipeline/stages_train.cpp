// Lines 1 and 6 of the algorithm: fine-tuning.
#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "pipeline/rounds.h"
#include "pipeline/run.h"
#include "student/merge.h"
#include "student/student_folder.h"

namespace tapir::pipeline {
namespace {

void copy_folder(const std::filesystem::path& from, const std::filesystem::path& place) {
  write_folder(place, [&](const std::filesystem::path& aside) {
    std::filesystem::copy(from, aside, std::filesystem::copy_options::recursive);
  });
}

}  // namespace

std::filesystem::path Run::metrics_file(const std::string& student) const {
  std::string name = student;
  std::replace(name.begin(), name.end(), '/', '-');
  return options_.run_dir / "metrics" / (name + ".jsonl");
}

student::TrainJob Run::placed(student::TrainJob job, const std::string& student) const {
  job.output_dir = options_.run_dir / student_folder(student);
  job.io.token_cache = beside(job.output_dir, ".work");
  job.io.logging_dir = metrics_file(student).replace_extension("");
  job.io.metrics = metrics_file(student);
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
  student::TrainJob s0 = placed(student_job(recipe_, student), student);
  s0.model_dir = resolve(recipe_.student.model_name_or_path);
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
  const std::filesystem::path before =
      options_.run_dir / student_folder(student_name(name, starts_from(view(), name, round)));
  const std::filesystem::path merged = merged_folder(recipe_, before);
  if (!merged.empty() && !student::holds_student(merged)) student::merge_student(before, merged);
  return train(stage, student, placed(round_job(view(), name, round), student));
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
