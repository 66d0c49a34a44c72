#include "student/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/strings.h"
#include "student/checkpoint.h"
#include "student/gradients.h"
#include "student/job.h"
#include "student/metrics.h"
#include "student/schedule.h"

namespace tapir::student {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct PreparedJob {
  ModelConfig config;
  std::vector<EncodedRow> rows;
};

PreparedJob prepare(const TrainJob& job) {
  check_options(job);
  PreparedJob prepared;
  prepared.config = read_config(job.model_dir);
  const Words words = load_words(job.model_dir, prepared.config);
  const int limit = std::min(job.options.cutoff_len, prepared.config.max_position_embeddings);
  prepared.rows = encode_rows(job.examples, *words.format, limit);
  return prepared;
}

void refuse_rows_without_loss(const Preflight& seen) {
  if (seen.rows_without_loss == 0) return;
  throw Error(
      ErrorKind::data,
      fmt::format("{} of {} rows have not one supervised token: {}{}", seen.rows_without_loss,
                  seen.rows, join(seen.ids_without_loss, ", "),
                  seen.rows_without_loss > static_cast<std::int64_t>(seen.ids_without_loss.size())
                      ? ", ..."
                      : ""),
      "give each row an answer, or raise cutoff_len if the answer was cut off");
}

// A training under way.
class Training {
 public:
  Training(const TrainJob& job, std::string version, ProgressSink& progress)
      : job_(job),
        prepared_(prepare(job)),
        layout_(make_layout(prepared_.config)),
        plan_(lengths_of(prepared_.rows), job.options),
        total_steps_(count_steps(lengths_of(prepared_.rows), job.options)),
        schedule_(job.options, total_steps_),
        optimizer_(layout_, job.options),
        pool_(job.options.lanes),
        lanes_(prepared_.config, job.options.lanes, job.io.micro_batch_tokens),
        checkpoints_(job.output_dir),
        progress_(progress) {
    refuse_rows_without_loss(summarise(prepared_.rows, job.options));
    state_.version = std::move(version);
  }

  TrainResult run(const std::string& digest, std::stop_token stop);

 private:
  void begin_fresh();
  bool resume(const std::string& digest);
  void step();
  void log(const StepLoss& loss, double learning_rate, double norm, double operations);
  void check_finite(const StepLoss& loss, double norm, const std::vector<std::size_t>& rows) const;
  void save(bool finished);
  void publish();

  const TrainJob& job_;
  const PreparedJob prepared_;
  const ParameterLayout layout_;
  BatchPlan plan_;
  const std::int64_t total_steps_;
  const Schedule schedule_;
  const Optimizer optimizer_;
  LanePool pool_;
  LaneGradients lanes_;
  const CheckpointFolder checkpoints_;
  ProgressSink& progress_;
  TrainingState arrays_;
  TrainerState state_;
  std::unique_ptr<MetricsFile> metrics_;
  double peak_ = 0;  // operations per second of all lanes that can run at once

  Clock::time_point resumed_at_ = Clock::now();
  double seconds_before_ = 0;
  Clock::time_point logged_at_ = Clock::now();
  std::int64_t logged_tokens_ = 0;
  double logged_operations_ = 0;
};

void Training::begin_fresh() {
  std::filesystem::create_directories(checkpoints_.work());
  const auto size = static_cast<std::size_t>(layout_.size);
  arrays_.parameters.resize(size);
  read_parameters(layout_, prepared_.config, job_.model_dir, arrays_.parameters.data());
  if (job_.optimizer_from.empty()) {
    arrays_.m.assign(size, 0.0F);
    arrays_.v.assign(size, 0.0F);
  } else {
    read_moments(job_.optimizer_from, layout_, arrays_);
  }
}

// False when there is no checkpoint of this job. Those of another job are removed.
bool Training::resume(const std::string& digest) {
  const std::vector<std::int64_t> steps = checkpoints_.sweep();
  if (steps.empty()) return false;
  const std::filesystem::path folder = checkpoints_.place(steps.back());
  const std::optional<TrainerState> found = read_trainer_state(folder);
  if (!found || found->job != digest) {
    checkpoints_.remove();
    return false;
  }
  if (found->version != state_.version && !job_.io.allow_other_machine) {
    throw Error(ErrorKind::data,
                folder.string() + ": the checkpoint was made with " + found->version +
                    ", this is " + state_.version,
                "going on here would give other bits: allow another machine, or remove the folder "
                "to start anew");
  }
  arrays_.parameters.resize(static_cast<std::size_t>(layout_.size));
  read_parameters(layout_, prepared_.config, folder, arrays_.parameters.data());
  read_moments(folder, layout_, arrays_);
  const std::string version = std::exchange(state_.version, {});
  state_ = *found;
  state_.version = version;
  plan_.restore(state_.global_step, state_.cursor);
  seconds_before_ = state_.result.seconds;
  progress_.message(fmt::format("{}: going on from step {} of {}", job_.io.stage,
                                state_.global_step, total_steps_));
  return true;
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

void Training::log(const StepLoss& loss, double learning_rate, double norm, double operations) {
  const TrainResult& result = state_.result;
  logged_tokens_ += loss.tokens;
  logged_operations_ += operations;
  const double elapsed = std::max(1e-9, seconds_since(logged_at_));
  const double rate = static_cast<double>(logged_tokens_) / elapsed;
  progress_.update({job_.io.stage, static_cast<std::uint64_t>(state_.global_step), 0,
                    static_cast<std::uint64_t>(total_steps_), 0,
                    fmt::format("loss {:.4f}  {:.1f} k tok/s", loss.loss, rate / 1000)});
  const bool wanted = job_.io.logging_steps > 0 && state_.global_step % job_.io.logging_steps == 0;
  if (!wanted && state_.global_step != 1 && !plan_.done()) return;
  MetricsRow row;
  row.step = state_.global_step;
  row.epoch = static_cast<double>(state_.cursor.rows) / static_cast<double>(prepared_.rows.size());
  row.loss = loss.loss;
  row.learning_rate = learning_rate;
  row.grad_norm = norm;
  row.tokens = result.tokens;
  row.supervised_tokens = result.supervised_tokens;
  row.tokens_per_second = rate;
  row.mfu = logged_operations_ / elapsed / peak_;
  row.memory_gb = static_cast<double>(resident_memory()) / 1e9;
  metrics_->append(row);
  logged_at_ = Clock::now();
  logged_tokens_ = 0;
  logged_operations_ = 0;
}

void Training::step() {
  const std::vector<std::size_t> indices = plan_.next();
  std::vector<const EncodedRow*> rows;
  for (const std::size_t index : indices) rows.push_back(&prepared_.rows[index]);
  const StepLoss loss = lanes_.compute(arrays_.parameters.data(), rows, pool_);
  const double norm = optimizer_.reduce(lanes_.gradients(), pool_);
  check_finite(loss, norm, indices);
  const double learning_rate = schedule_.learning_rate(state_.global_step);
  optimizer_.apply(lanes_.gradients().front(), norm, learning_rate, arrays_, pool_);
  TrainResult& result = state_.result;
  if (state_.global_step == 0) result.first_loss = loss.loss;
  result.last_loss = loss.loss;
  result.steps = ++state_.global_step;
  result.tokens += loss.tokens;
  result.supervised_tokens += loss.supervised_tokens;
  result.rows += static_cast<std::int64_t>(rows.size());
  state_.optimizer_steps = arrays_.optimizer_steps;
  state_.cursor = plan_.cursor();
  log(loss, learning_rate, norm, step_operations(prepared_.config, rows));
}

void Training::save(bool finished) {
  state_.result.finished = finished;
  state_.result.seconds = seconds_before_ + seconds_since(resumed_at_);
  if (finished) {
    publish();
  } else {
    checkpoints_.save(job_.model_dir, layout_, arrays_, state_, job_.io.save_total_limit);
  }
}

void Training::publish() {
  const std::filesystem::path aside = checkpoints_.work() / "final";
  write_training_folder(aside, job_.model_dir, layout_, arrays_, state_);
  if (job_.io.metrics.empty()) {
    write_file(aside / "metrics.jsonl", read_file(checkpoints_.work() / "metrics.jsonl"));
  }
  publish_folder(aside, job_.output_dir);
  checkpoints_.remove();
}

TrainResult Training::run(const std::string& digest, std::stop_token stop) {
  if (!resume(digest)) begin_fresh();
  state_.job = digest;
  metrics_ = std::make_unique<MetricsFile>(
      job_.io.metrics.empty() ? checkpoints_.work() / "metrics.jsonl" : job_.io.metrics,
      job_.io.stage, state_.global_step);
  const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  peak_ = measured_peak() * std::min(job_.options.lanes, cores);
  resumed_at_ = logged_at_ = Clock::now();
  std::int64_t saved_at = -1;
  while (!plan_.done() && !stop.stop_requested()) {
    step();
    const bool due = job_.io.save_steps > 0 && state_.global_step % job_.io.save_steps == 0;
    if (!due || plan_.done()) continue;
    save(/*finished=*/false);
    saved_at = state_.global_step;
  }
  const bool finished = plan_.done();
  if (finished || saved_at != state_.global_step) save(finished);
  state_.result.finished = finished;
  return state_.result;
}

// The result of this very job, when it has been finished before.
std::optional<TrainResult> finished_before(const TrainJob& job, const std::string& digest) {
  const std::optional<TrainerState> state = read_trainer_state(job.output_dir);
  if (!state || state->job != digest || !state->result.finished) return std::nullopt;
  CheckpointFolder(job.output_dir).remove();
  return state->result;
}

}  // namespace

TrainResult train(const TrainJob& job, const std::string& version, ProgressSink& progress,
                  std::stop_token stop) {
  check_options(job);
  const std::string digest = job_digest(job);
  if (const auto result = finished_before(job, digest)) return *result;
  return Training(job, version, progress).run(digest, stop);
}

Preflight preflight(const TrainJob& job) {
  const PreparedJob prepared = prepare(job);
  return summarise(prepared.rows, job.options);
}

}  // namespace tapir::student
