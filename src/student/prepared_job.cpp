#include "student/prepared_job.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "student/checkpoint.h"
#include "student/collective.h"
#include "student/memory_plan.h"
#include "student/token_cache.h"

namespace tapir::student {

PreparedJob prepare(const TrainJob& job, const Device& device) {
  check_options(job, device);
  PreparedJob prepared{TrainedWeights(job), {}, {}, {}};
  const ModelConfig& config = prepared.weights.config();
  const std::filesystem::path& folder = prepared.weights.folder().words;
  prepared.words = load_words(folder, config, job.options.chat_format);
  const text::ChatFormat& format = *prepared.words.format;
  const int limit = std::min(job.options.cutoff_len, config.max_position_embeddings);
  const std::string key = job.io.token_cache.empty()
                              ? ""
                              : token_cache_key(job.examples, folder, format.describe(), limit);
  prepared.rows = cached_rows(job.io.token_cache, key,
                              [&] { return encode_rows(job.examples, format, limit); });
  prepared.split = split_rows(prepared.rows, job.options);
  return prepared;
}

PreparedJob prepare_in_turn(const TrainJob& job, const Device& device) {
  if (!job.ranks) return prepare(job, device);
  if (!job.ranks->is_first()) job.ranks->barrier();
  PreparedJob prepared = prepare(job, device);
  if (job.ranks->is_first()) job.ranks->barrier();
  return prepared;
}

std::vector<const EncodedRow*> chosen(const std::vector<EncodedRow>& rows,
                                      const std::vector<std::size_t>& indices) {
  std::vector<const EncodedRow*> found;
  for (const std::size_t index : indices) found.push_back(&rows[index]);
  return found;
}

MemoryPlan plan_memory(const PreparedJob& prepared, const TrainJob& job, const Device& device) {
  return fitting_plan(prepared.weights, job, chosen(prepared.rows, prepared.split.training),
                      device);
}

std::int64_t count_learning_steps(const PreparedJob& prepared, const TrainOptions& options) {
  const Preflight seen = summarise(prepared.rows, prepared.split, options);
  if (seen.rows_without_loss == 0) return seen.steps;
  throw Error(
      ErrorKind::data,
      fmt::format("{} of {} rows have not one supervised token: {}{}", seen.rows_without_loss,
                  seen.rows, join(seen.ids_without_loss, ", "),
                  seen.rows_without_loss > static_cast<std::int64_t>(seen.ids_without_loss.size())
                      ? ", ..."
                      : ""),
      "give each row an answer, or raise cutoff_len if the answer was cut off");
}

Preflight preflight(const TrainJob& job, const Device& device) {
  const PreparedJob prepared = prepare(job, device);
  Preflight seen = summarise(prepared.rows, prepared.split, job.options);
  seen.memory = plan_memory(prepared, job, device);
  const TrainedWeights& weights = prepared.weights;
  seen.parameters = weights.base_layout().size;
  seen.trained_parameters = weights.layout().size;
  seen.output_bytes =
      seen.memory.optimizer +
      seen.trained_parameters * static_cast<std::int64_t>(size_of(data_type(weights.saved_type())));
  seen.chat_format = prepared.words.format->describe();
  return seen;
}

std::optional<TrainResult> finished_training(const TrainJob& job, const std::string& digest) {
  std::optional<TrainerState> state = read_trainer_state(job.output_dir);
  if (state && (state->job != digest || !state->result.finished)) state.reset();
  // All have looked before the first one begins to write.
  if (job.ranks && job.ranks->any(!state)) return std::nullopt;
  if (!state) return std::nullopt;
  if (!job.ranks || job.ranks->is_first()) CheckpointFolder(job.output_dir).remove();
  return state->result;
}

}  // namespace tapir::student
