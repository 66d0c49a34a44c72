#include "pipeline/export_model.h"

#include <algorithm>

#include "pipeline/file_commands.h"

namespace tapir::pipeline {

std::vector<student::CheckedAnswer> check_stops(const student::StudentEngine& engine,
                                                const std::filesystem::path& model,
                                                const StopCheck& check,
                                                const std::string& exported) {
  if (check.prompts <= 0) return {};
  student::AnswerCheckOptions options;
  options.prompts = check.prompts;
  options.max_new_tokens = check.max_new_tokens;
  options.requests = check.file.empty() ? check.questions : read_requests(check.file);
  if (check.file.empty() && !check.questions.empty())
    options.prompts = std::min(check.prompts, static_cast<int>(check.questions.size()));
  auto answers = student::check_answers(*engine.load(model), options);
  student::require_stopped(answers, exported);
  return answers;
}

GgufOutcome export_gguf_file(const student::StudentEngine& engine, const GgufJob& job) {
  GgufOutcome outcome;
  outcome.file = student::export_gguf(job.model, job.output, job.options);
  outcome.answers = check_stops(engine, job.model, job.check,
                                job.output.string() + " is written, but the student does not stop");
  return outcome;
}

}  // namespace tapir::pipeline
