#include "student/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strings.h"
#include "student/checkpoint.h"
#include "student/collective.h"
#include "student/job.h"
#include "student/learner.h"
#include "student/memory_plan.h"
#include "student/metrics.h"
#include "student/schedule.h"
#include "student/tensorboard.h"

namespace tapir::student {
namespace {

using Clock = std::chrono::steady_clock;

bool writes_files(const TrainJob& job) { return !job.ranks || job.ranks->is_first(); }

std::int64_t longest_of(const std::vector<const EncodedRow*>& rows) {
  std::int64_t longest = 0;
  for (const EncodedRow* row : rows)
    longest = std::max(longest, static_cast<std::int64_t>(row->tokens.size()));
  return longest;
}

std::string in_gb(std::int64_t bytes) {
  return fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9);
}

// A training under way.
class Training {
 public:
  Training(const TrainJob& job, std::string version, ProgressSink& progress, const Device& device)
      : job_(job),
        device_(device),
        prepared_(prepare_in_turn(job, device)),
        plan_(lengths_of(prepared_.rows, prepared_.split.training), job.options),
        total_steps_(count_learning_steps(prepared_, job.options)),
        schedule_(job.options, total_steps_),
        checkpoints_(job.output_dir),
        progress_(progress),
        memory_(plan_memory(prepared_, job, device)) {
    state_.version = std::move(version);
  }

  TrainResult run(const std::string& digest, std::stop_token stop);

 private:
  TrainingState begin_fresh();
  std::int64_t step_to_resume(const std::string& digest) const;
  std::optional<TrainingState> resume(const std::string& digest);
  void begin_learning(TrainingState arrays);
  void choose_passes();
  void open_logs();
  void step();
  StepLoss within_memory(const std::vector<const EncodedRow*>& rows,
                         const std::function<StepLoss()>& work);
  void evaluate();
  void log(const StepLoss& loss, double learning_rate, double norm, double operations);
  void check_finite(const StepLoss& loss, double norm, const std::vector<std::size_t>& rows) const;
  void save(bool finished);
  void publish();
  bool stop_asked(const std::stop_token& stop) const {
    return job_.ranks ? job_.ranks->any(stop.stop_requested()) : stop.stop_requested();
  }
  bool every(std::int64_t steps) const { return steps > 0 && state_.global_step % steps == 0; }

  const TrainJob& job_;
  const Device device_;
  PreparedJob prepared_;
  BatchPlan plan_;  // of prepared_.split.training
  const std::int64_t total_steps_;
  const Schedule schedule_;
  std::unique_ptr<Learner> learner_;
  const CheckpointFolder checkpoints_;
  ProgressSink& progress_;
  TrainerState state_;
  const MemoryPlan memory_;
  std::unique_ptr<MetricsFile> metrics_;
  std::unique_ptr<EventFile> events_;
  std::optional<double> eval_loss_;  // of the step in work
  double peak_ = 0;                  // Learner::peak_operations()

  Clock::time_point resumed_at_ = Clock::now();
  double seconds_before_ = 0;
  Clock::time_point logged_at_ = Clock::now();
  std::int64_t logged_tokens_ = 0;
  double logged_operations_ = 0;
};

TrainingState Training::begin_fresh() {
  std::filesystem::create_directories(checkpoints_.work());
  TrainedWeights& weights = prepared_.weights;
  TrainingState arrays;
  weights.read(arrays.parameters);
  const std::string& dtype = job_.options.optim_state_dtype;
  if (job_.optimizer_from.empty()) {
    arrays.moments.clear(weights.layout().size, dtype);
  } else {
    read_moments(job_.optimizer_from, weights.layout(), dtype, arrays);
  }
  return arrays;
}

constexpr std::int64_t kNoStep = -1;

// Of the newest checkpoint of this job. Those of another job are removed.
std::int64_t Training::step_to_resume(const std::string& digest) const {
  const std::vector<std::int64_t> steps = checkpoints_.sweep();
  if (steps.empty()) return kNoStep;
  const auto found = read_trainer_state(checkpoints_.place(steps.back()));
  if (found && found->job == digest) return steps.back();
  checkpoints_.remove();
  return kNoStep;
}

// Nothing when there is no checkpoint of this job.
std::optional<TrainingState> Training::resume(const std::string& digest) {
  std::int64_t step = writes_files(job_) ? step_to_resume(digest) : kNoStep;
  if (job_.ranks) step = job_.ranks->broadcast(step);
  if (step == kNoStep) return std::nullopt;
  const std::filesystem::path folder = checkpoints_.place(step);
  const std::optional<TrainerState> found = read_trainer_state(folder);
  check(found.has_value(), "a checkpoint that was found");
  if (found->version != state_.version && !job_.io.allow_other_machine) {
    throw Error(ErrorKind::data,
                folder.string() + ": the checkpoint was made with " + found->version +
                    ", this is " + state_.version,
                "going on here would give other bits: allow another machine, or remove the folder "
                "to start anew");
  }
  TrainingState arrays;
  prepared_.weights.read_checkpoint(folder, arrays.parameters);
  read_moments(folder, prepared_.weights.layout(), job_.options.optim_state_dtype, arrays);
  const std::string version = std::exchange(state_.version, {});
  state_ = *found;
  state_.version = version;
  plan_.restore(state_.global_step, state_.cursor);
  seconds_before_ = state_.result.seconds;
  progress_.message(fmt::format("{}: going on from step {} of {}", job_.io.stage,
                                state_.global_step, total_steps_));
  return arrays;
}

// A checkpoint remembers what it came down to.
void Training::choose_passes() {
  if (state_.micro_batch_tokens > 0) return;
  state_.micro_batch_tokens = memory_.micro_batch_tokens;
  if (job_.ranks) state_.micro_batch_tokens = job_.ranks->broadcast(state_.micro_batch_tokens);
  const std::int64_t asked = wanted_micro_batch_tokens(job_.io, device_);
  if (memory_.micro_batch_tokens < asked) {
    progress_.message(fmt::format(
        "{}: {} may be used: passes of {} tokens instead of {}, the optimizer's batch is the same",
        job_.io.stage, in_gb(memory_.limit), memory_.micro_batch_tokens, asked));
  }
  if (memory_.limit == 0 || memory_.total() <= memory_.limit) return;
  progress_.message(
      fmt::format("{}: {} are needed, {} may be used; less is needed with gradient_checkpointing, "
                  "finetuning_type lora, {}optim_state_dtype bfloat16",
                  job_.io.stage, in_gb(memory_.total()), in_gb(memory_.limit),
                  device_.own_kernels() ? "fewer lanes or " : "or "));
}

void Training::begin_learning(TrainingState arrays) {
  choose_passes();
  try {
    learner_ =
        make_learner(device_, learner_setup(prepared_.weights, job_, state_.micro_batch_tokens),
                     std::move(arrays), job_.ranks);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::data,
                fmt::format("out of memory: weights, gradients and the optimizer's state of this "
                            "training are {}",
                            in_gb(memory_.weights + memory_.gradients + memory_.optimizer)),
                "take finetuning_type lora, optim_state_dtype bfloat16, or a smaller student");
  }
}

void Training::check_finite(const StepLoss& loss, double norm,
                            const std::vector<std::size_t>& rows) const {
  if (std::isfinite(loss.loss) && std::isfinite(norm)) return;
  std::vector<std::string> ids;
  for (const std::size_t row : rows) ids.push_back(prepared_.rows[row].id);
  throw Error(ErrorKind::data,
              fmt::format("step {}: loss {} with gradient norm {} is not finite; rows: {}",
                          state_.global_step + 1, loss.loss, norm, join(ids, ", ")),
              "lower learning_rate or look at these rows; the last checkpoint is kept");
}

void write_events(EventFile& events, const MetricsRow& row) {
  std::vector<Scalar> scalars = {{"train/loss", row.loss},
                                 {"train/learning_rate", row.learning_rate},
                                 {"train/grad_norm", row.grad_norm},
                                 {"train/epoch", row.epoch},
                                 {"train/tokens_per_second", row.tokens_per_second},
                                 {"train/memory_gb", row.memory_gb}};
  if (row.eval_loss) scalars.push_back({"eval/loss", *row.eval_loss});
  events.append(row.step, scalars);
}

void Training::log(const StepLoss& loss, double learning_rate, double norm, double operations) {
  if (!writes_files(job_)) return;
  const TrainResult& result = state_.result;
  logged_tokens_ += loss.tokens;
  logged_operations_ += operations;
  const double elapsed = std::max(1e-9, seconds_since(logged_at_));
  const double rate = static_cast<double>(logged_tokens_) / elapsed;
  progress_.update({job_.io.stage, static_cast<std::uint64_t>(state_.global_step), 0,
                    static_cast<std::uint64_t>(total_steps_), 0,
                    fmt::format("loss {:.4f}  {:.1f} k tok/s", loss.loss, rate / 1000)});
  const bool wanted = every(job_.io.logging_steps) || eval_loss_;
  if (!wanted && state_.global_step != 1 && !plan_.done()) return;
  MetricsRow row;
  row.step = state_.global_step;
  row.epoch = static_cast<double>(state_.cursor.rows) /
              static_cast<double>(prepared_.split.training.size());
  row.loss = loss.loss;
  row.learning_rate = learning_rate;
  row.grad_norm = norm;
  row.tokens = result.tokens;
  row.supervised_tokens = result.supervised_tokens;
  row.tokens_per_second = rate;
  row.mfu = peak_ > 0 ? logged_operations_ / elapsed / peak_ : 0;
  row.memory_gb = static_cast<double>(learner_->memory()) / 1e9;
  row.eval_loss = eval_loss_;
  metrics_->append(row);
  write_events(*events_, row);
  logged_at_ = Clock::now();
  logged_tokens_ = 0;
  logged_operations_ = 0;
}

// What `work` gives. Out of memory: the same again in passes half as large.
StepLoss Training::within_memory(const std::vector<const EncodedRow*>& rows,
                                 const std::function<StepLoss()>& work) {
  for (;;) {
    try {
      return work();
    } catch (const std::bad_alloc&) {
      const std::int64_t longest = longest_of(rows);
      if (learner_->micro_batch_tokens() <= longest) {
        throw Error(ErrorKind::data,
                    fmt::format("step {}: out of memory with one row of {} tokens in a pass",
                                state_.global_step + 1, longest),
                    std::string("lower cutoff_len") + (device_.own_kernels() ? " or lanes" : "") +
                        ", or set gradient_checkpointing; the last checkpoint is kept");
      }
      learner_->set_micro_batch_tokens(learner_->micro_batch_tokens() / 2);
      state_.micro_batch_tokens = learner_->micro_batch_tokens();
      progress_.message(
          fmt::format("{}: out of memory in step {}: passes of {} tokens from here "
                      "on, the optimizer's batch is the same",
                      job_.io.stage, state_.global_step + 1, learner_->micro_batch_tokens()));
    }
  }
}

void Training::evaluate() {
  eval_loss_.reset();
  if (prepared_.split.validation.empty()) return;
  if (!every(job_.io.eval_steps) && !plan_.done()) return;
  const auto rows = chosen(prepared_.rows, prepared_.split.validation);
  eval_loss_ = within_memory(rows, [&] { return learner_->loss(rows); }).loss;
  state_.result.eval_loss = eval_loss_;
}

void Training::step() {
  std::vector<std::size_t> indices = plan_.next();
  for (std::size_t& index : indices) index = prepared_.split.training[index];
  const std::vector<const EncodedRow*> rows = chosen(prepared_.rows, indices);
  const StepLoss loss =
      within_memory(rows, [&] { return learner_->compute(rows, state_.global_step); });
  const double norm = learner_->gradient_norm();
  check_finite(loss, norm, indices);
  const double learning_rate = schedule_.learning_rate(state_.global_step);
  learner_->apply(norm, learning_rate);
  TrainResult& result = state_.result;
  if (state_.global_step == 0) result.first_loss = loss.loss;
  result.last_loss = loss.loss;
  result.steps = ++state_.global_step;
  result.tokens += loss.tokens;
  result.supervised_tokens += loss.supervised_tokens;
  result.rows += static_cast<std::int64_t>(rows.size());
  state_.optimizer_steps = learner_->optimizer_steps();
  state_.cursor = plan_.cursor();
  evaluate();
  log(loss, learning_rate, norm,
      step_operations(prepared_.weights.config(), rows, prepared_.weights.is_adapter()));
}

void Training::save(bool finished) {
  state_.result.finished = finished;
  state_.result.seconds = seconds_before_ + seconds_since(resumed_at_);
  if (finished) {
    publish();
  } else {
    learner_->read_state([&](const TrainingState& arrays) {
      checkpoints_.save(prepared_.weights, arrays, state_, job_.io.save_total_limit);
    });
  }
}

void Training::publish() {
  const std::filesystem::path aside = checkpoints_.work() / "final";
  learner_->read_state([&](const TrainingState& arrays) {
    write_training_folder(aside, prepared_.weights, arrays, state_, prepared_.weights.saved_type());
  });
  if (!writes_files(job_)) return;
  write_chat_format(aside, job_.options.chat_format);
  if (job_.io.metrics.empty()) {
    write_aside(aside / "metrics.jsonl", read_file(checkpoints_.work() / "metrics.jsonl"));
  }
  events_.reset();
  if (job_.io.logging_dir.empty()) {
    std::filesystem::copy(checkpoints_.work() / kEventFolder, aside / kEventFolder);
  }
  publish_folder(aside, job_.output_dir);
  checkpoints_.remove();
}

void Training::open_logs() {
  if (!writes_files(job_)) return;
  metrics_ = std::make_unique<MetricsFile>(
      job_.io.metrics.empty() ? checkpoints_.work() / "metrics.jsonl" : job_.io.metrics,
      job_.io.stage, state_.global_step);
  events_ = std::make_unique<EventFile>(
      job_.io.logging_dir.empty() ? checkpoints_.work() / kEventFolder : job_.io.logging_dir,
      state_.global_step);
}

TrainResult Training::run(const std::string& digest, std::stop_token stop) {
  std::optional<TrainingState> arrays = resume(digest);
  if (!arrays) arrays = begin_fresh();
  state_.job = digest;
  begin_learning(*std::exchange(arrays, std::nullopt));
  open_logs();
  peak_ = learner_->peak_operations();
  resumed_at_ = logged_at_ = Clock::now();
  std::int64_t saved_at = -1;
  while (!plan_.done() && !stop_asked(stop)) {
    step();
    if (!every(job_.io.save_steps) || plan_.done()) continue;
    save(/*finished=*/false);
    saved_at = state_.global_step;
  }
  const bool finished = plan_.done();
  if (finished || saved_at != state_.global_step) save(finished);
  if (job_.ranks) job_.ranks->barrier();  // what rank 0 wrote is there
  state_.result.finished = finished;
  return state_.result;
}

void expect_one_job(Collective& ranks, const std::string& digest) {
  const std::vector<std::string> all = ranks.all_gather(digest);
  const auto other = std::find_if(all.begin(), all.end(),
                                  [&](const std::string& found) { return found != all.front(); });
  if (other == all.end()) return;
  throw Error(ErrorKind::usage,
              fmt::format("rank {} trains another job than rank 0", other - all.begin()),
              "all ranks take the same options, rows and student");
}

TrainResult train_alone_or_together(const TrainJob& job, const std::string& version,
                                    ProgressSink& progress, const std::stop_token& stop,
                                    const Device& device) {
  check_options(job, device);
  if (job.output_dir.empty())
    throw Error(ErrorKind::usage, "output_dir: found nothing, expected a folder");
  const std::string digest = job_digest(job);
  if (job.ranks) expect_one_job(*job.ranks, digest);
  if (const auto result = finished_training(job, digest)) return *result;
  return Training(job, version, progress, device).run(digest, stop);
}

}  // namespace

TrainResult train(const TrainJob& job, const std::string& version, ProgressSink& progress,
                  std::stop_token stop, const Device& device) {
  try {
    return train_alone_or_together(job, version, progress, stop, device);
  } catch (const std::exception& e) {
    if (job.ranks) job.ranks->fail(e.what());
    throw;
  }
}

}  // namespace tapir::student
