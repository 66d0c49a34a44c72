#include "student/hand_over.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "student/checkpoint.h"
#include "student/config.h"
#include "student/metrics.h"
#include "student/prepared_job.h"
#include "student/schedule.h"
#include "student/tensorboard.h"

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

constexpr std::size_t kComparedRows = 64;

TrainRow row_of(const EncodedRow& encoded, const Example& example) {
  TrainRow row;
  row.id = example.id;
  for (const Segment& segment : example.segments) {
    row.messages.push_back({segment.role, segment.text});
  }
  row.tokens.assign(encoded.tokens.begin(), encoded.tokens.end());
  row.loss.assign(encoded.loss.begin(), encoded.loss.end());
  return row;
}

void add_steps(const PreparedJob& prepared, const TrainOptions& options, TrainSteps& steps) {
  const std::vector<std::size_t>& training = prepared.split.training;
  BatchPlan plan(lengths_of(prepared.rows, training), options);
  const Schedule schedule(options, count_learning_steps(prepared, options));
  while (!plan.done()) {
    TrainStep step;
    step.learning_rate = schedule.learning_rate(plan.step());
    step.rows = plan.next();
    for (std::size_t& index : step.rows) {
      index = training[index];
      steps.tokens += static_cast<std::int64_t>(prepared.rows[index].tokens.size());
      steps.supervised_tokens += prepared.rows[index].supervised;
    }
    steps.row_count += static_cast<std::int64_t>(step.rows.size());
    steps.steps.push_back(std::move(step));
  }
}

// What no folder holds yet: a fresh adapter, or an adapter merged in.
void write_start(const TrainJob& job, TrainedWeights& weights, const Path& start) {
  write_folder(start, [&](const Path& aside) {
    std::vector<float> values;
    weights.read(values);
    weights.write(aside, values, StorageType::float32);
    write_chat_format(aside, job.options.chat_format);
  });
}

[[noreturn]] void refuse(const Path& folder, const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::data, folder.string() + ": " + what, hint);
}

void check_vocabulary(const TrainJob& job, const TrainedWeights& weights, const Path& folder) {
  if (!weights.is_adapter()) {
    const ModelConfig found = read_config(folder);
    const ModelConfig& sent = weights.config();
    if (found.vocab_size != sent.vocab_size) {
      refuse(folder,
             fmt::format("came back with a vocabulary of {} tokens, was sent with {}",
                         found.vocab_size, sent.vocab_size),
             "no tokens may be added and no embeddings resized in a training job");
    }
  }
  if (!std::filesystem::exists(folder / "tokenizer.json")) return;
  const std::span<const Example> examples(job.examples);
  const auto some = examples.first(std::min(kComparedRows, examples.size()));
  const auto encoded = [&](const Path& words_folder) {
    const Words words = load_words(words_folder, weights.config(), job.options.chat_format);
    return encode_rows(some, *words.format, job.options.cutoff_len);
  };
  const std::vector<EncodedRow> sent = encoded(weights.folder().words);
  const std::vector<EncodedRow> found = encoded(folder);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    if (std::ranges::equal(sent[i].tokens, found[i].tokens)) continue;
    refuse(folder,
           "came back with another tokenizer or chat template: row " + some[i].id +
               " is other tokens than before",
           "the job must leave the tokenizer and its template as they are");
  }
}

// The name of the first parameter that is not finite, or empty.
std::string not_finite(const ParameterLayout& layout, const std::vector<float>& values) {
  for (const Parameter& parameter : layout.parameters) {
    const std::span<const float> mine(values.data() + parameter.offset,
                                      static_cast<std::size_t>(parameter.size));
    if (!std::ranges::all_of(mine, [](float value) { return std::isfinite(value); })) {
      return parameter.name;
    }
  }
  return {};
}

// The trained values, checked.
std::vector<float> read_back(const TrainJob& job, TrainedWeights& weights, const Path& folder) {
  std::vector<float> sent;
  weights.read(sent);
  std::vector<float> found;
  weights.read_checkpoint(folder, found);
  if (found.size() != sent.size()) {
    refuse(folder, "came back with an adapter of another shape",
           "rank and target modules must be those of the folder that the job started from");
  }
  const std::string name = not_finite(weights.layout(), found);
  if (!name.empty()) {
    refuse(folder, "came back with weights that are not finite, first in " + name,
           "lower train.learning_rate, or look at the job's losses");
  }
  if (found == sent && job.options.learning_rate > 0) {
    refuse(folder, "came back with the weights that it was sent with: nothing was learnt",
           "look at the job's log");
  }
  return found;
}

// aside: where they stand that the job gives no place of their own.
void write_metrics(const TrainJob& job, const TrainedElsewhere& trained, const Path& aside) {
  if (trained.steps.empty()) return;
  const auto or_aside = [&](const Path& place, const char* name) {
    return place.empty() ? aside / name : place;
  };
  const MetricsFile metrics(or_aside(job.io.metrics, "metrics.jsonl"), job.io.stage, 0);
  EventFile events(or_aside(job.io.logging_dir, kEventFolder), 0);
  const auto rows = static_cast<double>(job.examples.size());
  MetricsRow row;
  std::int64_t rows_seen = 0;
  for (const StepTaken& taken : trained.steps) {
    row.step = taken.step;
    row.loss = taken.loss;
    row.learning_rate = taken.learning_rate;
    row.grad_norm = taken.grad_norm;
    row.tokens += taken.tokens;
    row.supervised_tokens += taken.supervised_tokens;
    rows_seen += taken.rows;
    row.epoch = static_cast<double>(rows_seen) / rows;
    const bool last = &taken == &trained.steps.back();
    if (last) row.eval_loss = trained.result.eval_loss;
    if (taken.step % job.io.logging_steps != 0 && taken.step != 1 && !last) continue;
    metrics.append(row);
    events.append(row.step, {{"train/loss", row.loss},
                             {"train/learning_rate", row.learning_rate},
                             {"train/grad_norm", row.grad_norm},
                             {"train/epoch", row.epoch}});
  }
}

}  // namespace

TrainSteps train_steps(const TrainJob& job, const Path& start, const Device& device) {
  PreparedJob prepared = prepare(job, device);
  TrainSteps steps;
  steps.rows.reserve(job.examples.size());
  for (std::size_t i = 0; i < job.examples.size(); ++i) {
    steps.rows.push_back(row_of(prepared.rows[i], job.examples[i]));
  }
  add_steps(prepared, job.options, steps);
  steps.validation = prepared.split.validation;
  TrainedWeights& weights = prepared.weights;
  steps.is_adapter = weights.is_adapter();
  steps.base = weights.folder().base;
  steps.start = job.model_dir;
  if (weights.is_adapter() || weights.folder().is_adapter()) {
    write_start(job, weights, start);
    steps.start = start;
    if (!weights.is_adapter()) steps.base = start;
  }
  steps.digest = job_digest(job);
  return steps;
}

void take_over(const TrainJob& job, const TrainedElsewhere& trained,
               const std::function<void(const Path&)>& look, const Device& device) {
  check_options(job, device);
  TrainedWeights weights(job);
  check_vocabulary(job, weights, trained.folder);
  TrainingState arrays;
  arrays.parameters = read_back(job, weights, trained.folder);
  if (holds_moments(trained.folder)) {
    read_moments(trained.folder, weights.layout(), job.options.optim_state_dtype, arrays.moments);
  }
  TrainerState state;
  state.job = job_digest(job);
  state.version = trained.version;
  state.result = trained.result;
  state.global_step = trained.result.steps;
  state.optimizer_steps = trained.result.steps;
  if (!job.optimizer_from.empty()) {
    const auto before = read_trainer_state(job.optimizer_from);
    if (before) state.optimizer_steps += before->optimizer_steps;
  }
  const CheckpointFolder checkpoints(job.output_dir);
  const Path aside = checkpoints.work() / "final";
  write_training_folder(aside, weights, arrays, state, weights.saved_type());
  write_chat_format(aside, job.options.chat_format);
  look(aside);
  write_metrics(job, trained, aside);
  publish_folder(aside, job.output_dir);
  checkpoints.remove();
}

}  // namespace tapir::student
