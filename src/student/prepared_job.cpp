#include "student/prepared_job.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "student/checkpoint.h"
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

std::vector<const EncodedRow*> chosen(const std::vector<EncodedRow>& rows,
                                      const std::vector<std::size_t>& indices) {
  std::vector<const EncodedRow*> found;
  for (const std::size_t index : indices) found.push_back(&rows[index]);
  return found;
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

std::optional<TrainResult> finished_training(const TrainJob& job, const std::string& digest) {
  const std::optional<TrainerState> state = read_trainer_state(job.output_dir);
  if (!state || state->job != digest || !state->result.finished) return std::nullopt;
  CheckpointFolder(job.output_dir).remove();
  return state->result;
}

}  // namespace tapir::student
