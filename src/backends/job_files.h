// The files of a training job that all backends share, and what a job leaves behind.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backends/training_backend.h"
#include "student/student.h"

namespace tapir::backends {

// data.jsonl: {"id", "messages", "input_ids", "completion_mask"}, a line a row; steps.json:
// {"learning_rate": [...], "rows": [[...], ...]}, entries of data.jsonl from 0; job.json.
void write_job_files(const JobFolder& job);

// Tokens of one pass of a process, with padding.
std::int64_t pass_tokens(const student::TrainJob& job);

// Of a job folder, when it was written whole: the digest of what it trains.
std::optional<std::string> job_digest_of(const std::filesystem::path& folder);

// requirements.txt, and a script that can be executed.
void write_requirements(const std::filesystem::path& folder,
                        const std::vector<Requirement>& requirements);
void write_script(const std::filesystem::path& file, const std::string& text);
// The lines of launch.sh before the program itself: into the folder, with $PYTHON set.
std::string launch_header(const TrainingOptions& options);

// The steps that a job says it has taken, by its progress file: the whole lines, of a step that was
// taken twice the last. Lines that say nothing of a step are passed over. Error{data} naming the
// line: not an object, or a step or loss of another kind. No file: none.
std::vector<student::StepTaken> read_progress(const std::filesystem::path& file);

// Of result.json.
struct JobResult {
  std::string digest;
  std::int64_t steps = 0;
  std::int64_t tokens = 0;
  std::int64_t supervised_tokens = 0;
  std::int64_t rows = 0;
  std::string versions;  // "trl 0.24.0, torch 2.11.0", as the job found them
};

// Nothing: the job has not finished. Error{data} when it cannot be read.
std::optional<JobResult> read_job_result(const std::filesystem::path& folder);

}  // namespace tapir::backends
