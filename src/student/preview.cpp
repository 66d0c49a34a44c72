#include "student/preview.h"

#include <algorithm>

#include "student/adapter_file.h"
#include "student/job.h"

namespace tapir::student {

std::vector<PreviewRow> preview_rows(const TrainJob& job, std::size_t rows) {
  const StudentFolder folder = find_student(job.model_dir);
  const ModelConfig config = read_config(folder.base);
  const Words words = load_words(folder.words, config, job.options.chat_format);
  const int limit = std::min(job.options.cutoff_len, config.max_position_embeddings);
  const std::span<const Example> examples(job.examples);
  std::vector<PreviewRow> preview;
  for (const EncodedRow& row :
       encode_rows(examples.first(std::min(rows, examples.size())), *words.format, limit)) {
    PreviewRow shown{std::string(row.id), {}, row.truncated};
    for (std::size_t i = 0; i < row.tokens.size(); ++i) {
      const std::int32_t id = row.tokens[i];
      shown.tokens.push_back(
          {id, words.tokenizer->decode({&id, 1}, /*skip_special_tokens=*/false), row.loss[i] != 0});
    }
    preview.push_back(std::move(shown));
  }
  return preview;
}

}  // namespace tapir::student
