#include "backends/training_jobs.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "backends/job_files.h"
#include "backends/python_packages.h"
#include "backends/returned_student.h"
#include "base/clock.h"
#include "base/command_template.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "base/strings.h"
#include "student/student_folder.h"

namespace tapir::backends {
namespace {

using Path = std::filesystem::path;
using student::TrainJob;
using student::TrainResult;
using student::TrainSteps;

constexpr std::chrono::milliseconds kLook{500};
constexpr std::chrono::minutes kStopPatience{2};
constexpr std::size_t kLogLines = 25;

// The newest whole line of a progress file that is being written; step 0: none yet.
student::StepTaken newest_step(const Path& file) {
  try {
    const std::string line = last_lines(file, 1);
    if (line.empty()) return {};
    const Json json = parse_json(line, file.string());
    const char* key = json.contains("current_steps") ? "current_steps" : "step";
    student::StepTaken taken;
    taken.step = json_get<std::int64_t>(json, key, file.string());
    taken.loss = json_get_or<double>(json, "loss", 0.0, file.string());
    return taken;
  } catch (const Error&) {
    return {};  // half a line
  }
}

// A job's folder and its program.
class Job {
 public:
  Job(const student::StudentEngine& engine, const TrainJob& job, const TrainingOptions& options)
      : engine_(engine), job_(job), options_(options), folder_(beside(job.output_dir, ".job")) {
    std::filesystem::create_directories(folder_);
    steps_ = engine_.steps(job_, folder_ / "start");
    if (job_digest_of(folder_) != steps_.digest) begin_anew();
  }

  const Path& folder() const { return folder_; }
  const TrainSteps& steps() const { return steps_; }

  // Until the program has ended with a result, or is stopped: then nothing comes back.
  std::optional<JobResult> run(const TrainingBackend& backend, ProgressSink& progress,
                               const std::stop_token& stop);
  // The student in `folder` becomes that of the training.
  TrainResult take_over(const Path& folder, const std::string& version, TrainResult result,
                        std::vector<student::StepTaken> steps, ProgressSink& progress);
  void remove_weights() const;

 private:
  void begin_anew();
  JobFolder as_folder() const { return {folder_, job_, steps_, options_}; }
  std::string command() const;
  std::optional<ExitStatus> launch(const TrainingBackend& backend, ProgressSink& progress,
                                   const std::stop_token& stop);
  void end_softly(ChildProcess& child, const TrainingBackend& backend) const;
  void show(const student::StepTaken& taken, ProgressSink& progress);
  [[noreturn]] void fail(const ExitStatus& status) const;

  const student::StudentEngine& engine_;
  const TrainJob& job_;
  const TrainingOptions& options_;
  const Path folder_;
  TrainSteps steps_;
  std::int64_t shown_ = 0;  // step
};

// What another job left, but for the folder to start from.
void Job::begin_anew() {
  std::vector<Path> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().filename() != "start") left.push_back(entry.path());
  }
  for (const Path& path : left) std::filesystem::remove_all(path);
  write_job_files(as_folder());
}

std::string Job::command() const {
  if (options_.launch.empty()) return "./launch.sh";
  return expand_template(options_.launch,
                         {{"job", std::filesystem::absolute(folder_).lexically_normal().string()},
                          {"name", job_.output_dir.filename().string()},
                          {"processes", std::to_string(options_.processes)}},
                         "train.launch");
}

void Job::show(const student::StepTaken& taken, ProgressSink& progress) {
  if (taken.step == std::exchange(shown_, taken.step) || taken.step == 0) return;
  progress.update({job_.io.stage, static_cast<std::uint64_t>(taken.step), 0,
                   static_cast<std::uint64_t>(steps_.steps.size()), 0,
                   fmt::format("loss {:.4f}", taken.loss)});
}

void Job::end_softly(ChildProcess& child, const TrainingBackend& backend) const {
  if (backend.heeds_stop_file) {
    std::ofstream(folder_ / "stop").flush();
    const auto end = std::chrono::steady_clock::now() + kStopPatience;
    std::stop_source late;
    (void)child.wait(late.get_token(), [&] {
      if (std::chrono::steady_clock::now() > end) late.request_stop();
    });
  }
  child.stop();
}

std::optional<ExitStatus> Job::launch(const TrainingBackend& backend, ProgressSink& progress,
                                      const std::stop_token& stop) {
  std::filesystem::remove(folder_ / "stop");
  ChildOptions child_options;
  child_options.command = command();
  child_options.working_dir = folder_;
  child_options.log = folder_ / "job.log";
  if (!options_.visible_gpus.empty())
    child_options.environment["CUDA_VISIBLE_DEVICES"] = options_.visible_gpus;
  ChildProcess child(child_options);
  const Path file = folder_ / backend.progress_file;
  const std::optional<ExitStatus> status = child.wait(
      stop, [&] { show(newest_step(file), progress); }, kLook);
  if (!status) end_softly(child, backend);
  return status;
}

void Job::fail(const ExitStatus& status) const {
  const std::string words = last_lines(folder_ / "job.log", kLogLines);
  throw Error(ErrorKind::endpoint,
              fmt::format("{}: the training job ended with {}{}", job_.io.stage, status.words(),
                          words.empty() ? "" : "; the end of its log:\n" + words),
              "its folder is " + folder_.string() +
                  "; the same command goes on from its newest checkpoint");
}

std::optional<JobResult> Job::run(const TrainingBackend& backend, ProgressSink& progress,
                                  const std::stop_token& stop) {
  if (auto before = read_job_result(folder_)) return before;
  backend.write(as_folder());
  for (int restarts = 0;; ++restarts) {
    const std::int64_t begun_at = newest_step(folder_ / backend.progress_file).step;
    const std::optional<ExitStatus> status = launch(backend, progress, stop);
    if (!status || stop.stop_requested()) return std::nullopt;
    if (status->ok()) {
      if (auto result = read_job_result(folder_)) return result;
      throw Error(ErrorKind::data,
                  fmt::format("{}: the training job ended with exit status 0, but there is no {}",
                              job_.io.stage, (folder_ / "result.json").string()),
                  "its command has to return when the job has ended, not when it was queued "
                  "(sbatch --wait); its log is " +
                      (folder_ / "job.log").string());
    }
    const std::int64_t got_to = newest_step(folder_ / backend.progress_file).step;
    if (got_to <= begun_at || restarts >= options_.max_restarts) fail(*status);
    progress.message(fmt::format("{}: the job ended with {} after step {} of {}: started again",
                                 job_.io.stage, status->words(), got_to, steps_.steps.size()));
  }
}

TrainResult Job::take_over(const Path& folder, const std::string& version, TrainResult result,
                           std::vector<student::StepTaken> steps, ProgressSink& progress) {
  if (!student::holds_student(folder)) {
    throw Error(ErrorKind::data, folder.string() + ": there is no student in it",
                "expected a Hugging Face folder with config.json and safetensors, or an adapter's");
  }
  const Probe before = probe(engine_, steps_.start, job_.examples);
  if (!steps_.validation.empty()) result.eval_loss = validation_loss(engine_, folder, job_, steps_);
  engine_.take_over(job_, {folder, version, result, std::move(steps)}, [&](const Path& aside) {
    const Probe after = probe(engine_, aside, job_.examples);
    check_probe(before, after, folder);
    progress.message(fmt::format("{}: taken back from {}: loss on a probe {:.4f} -> {:.4f}",
                                 job_.io.stage, version, before.loss, after.loss));
  });
  return result;
}

void Job::remove_weights() const {
  for (const char* name : {"output", "checkpoints", "start", "tokenized"})
    std::filesystem::remove_all(folder_ / name);
}

TrainResult result_of(const JobResult& job, const std::vector<student::StepTaken>& steps) {
  TrainResult result;
  result.steps = job.steps;
  result.tokens = job.tokens;
  result.supervised_tokens = job.supervised_tokens;
  result.rows = job.rows;
  if (!steps.empty()) {
    result.first_loss = steps.front().loss;
    result.last_loss = steps.back().loss;
  }
  return result;
}

class HandingOver final : public student::StudentEngine {
 public:
  HandingOver(std::shared_ptr<const student::StudentEngine> engine, TrainingOptions options)
      : engine_(std::move(engine)), options_(std::move(options)) {}

  std::shared_ptr<const student::Student> load(const Path& folder) const override {
    return engine_->load(folder);
  }
  student::Preflight preflight(const TrainJob& job) const override {
    return engine_->preflight(job);
  }
  std::vector<student::PreviewRow> preview(const TrainJob& job, std::size_t rows) const override {
    return engine_->preview(job, rows);
  }
  std::string version() const override { return engine_->version(); }

  TrainResult train(const TrainJob& job, ProgressSink& progress,
                    std::stop_token stop) const override {
    if (const auto before = engine_->finished(job)) return *before;
    return options_.backend == "none" ? take_given(job, progress) : run_job(job, progress, stop);
  }

 private:
  TrainResult run_job(const TrainJob& job, ProgressSink& progress,
                      const std::stop_token& stop) const;
  TrainResult take_given(const TrainJob& job, ProgressSink& progress) const;

  const std::shared_ptr<const student::StudentEngine> engine_;
  const TrainingOptions options_;
  mutable std::atomic<bool> taken_ = false;  // options_.student is of one training
};

TrainResult HandingOver::run_job(const TrainJob& job, ProgressSink& progress,
                                 const std::stop_token& stop) const {
  const TrainingBackend& backend = training_backend(options_.backend);
  backend.check(job, options_);
  const auto begun = std::chrono::steady_clock::now();
  Job work(*engine_, job, options_);
  const std::optional<JobResult> done = work.run(backend, progress, stop);
  if (!done) {
    TrainResult stopped;
    stopped.finished = false;
    return stopped;
  }
  check_counts(*done, work.steps(), work.folder());
  std::vector<student::StepTaken> steps = read_progress(work.folder() / "progress.jsonl");
  TrainResult result = result_of(*done, steps);
  result.seconds = seconds_since(begun);
  result = work.take_over(work.folder() / "output", backend.name + " (" + done->versions + ")",
                          result, std::move(steps), progress);
  work.remove_weights();
  return result;
}

TrainResult HandingOver::take_given(const TrainJob& job, ProgressSink& progress) const {
  Job work(*engine_, job, options_);
  const TrainSteps& steps = work.steps();
  if (options_.student.empty() || taken_.exchange(true)) {
    throw Error(
        ErrorKind::waiting,
        fmt::format("{} waits for a student: train {} on {} ({} rows; {} steps take {} tokens, {} "
                    "of them learnt)",
                    job.io.stage, steps.start.string(), (work.folder() / "data.jsonl").string(),
                    steps.rows.size(), steps.steps.size(), steps.tokens, steps.supervised_tokens),
        "then go on with the same command and --student FOLDER; steps.json beside the rows has "
        "the rows and the learning rate of every step");
  }
  TrainResult result;  // what was asked for: nobody says what was done
  result.steps = static_cast<std::int64_t>(steps.steps.size());
  result.tokens = steps.tokens;
  result.supervised_tokens = steps.supervised_tokens;
  result.rows = steps.row_count;
  return work.take_over(options_.student, options_.student.string(), result, {}, progress);
}

}  // namespace

const TrainingBackend& training_backend(const std::string& name) {
  for (const TrainingBackend* backend : {&kTrl, &kLlamaFactory}) {
    if (backend->name == name) return *backend;
  }
  throw Error(ErrorKind::usage,
              "train.backend: found " + name + ", expected native, trl, llamafactory or none");
}

void check_launch_command(const std::string& command, const std::string& where) {
  const std::string job =
      expand_template(command, {{"job", "job"}, {"name", "name"}, {"processes", "1"}}, where);
  const std::vector<std::string> slots = slots_of(command);
  if (std::count(slots.begin(), slots.end(), "job") > 0) return;
  throw Error(ErrorKind::usage, where + " has no slot {job}: it starts nothing of the job",
              "for example \"sbatch --wait {job}/launch.sh\"");
}

std::shared_ptr<const student::StudentEngine> hand_over_training(
    std::shared_ptr<const student::StudentEngine> engine, TrainingOptions options) {
  if (options.backend != "none" && options.launch.empty()) {
    check_packages(options.backend, options.python,
                   training_backend(options.backend).requirements(options.adapters));
  }
  return std::make_shared<HandingOver>(std::move(engine), std::move(options));
}

}  // namespace tapir::backends
