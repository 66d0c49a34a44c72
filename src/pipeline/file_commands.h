// The student's commands on files: generate, logprobs, tokenize. Rows as docs/files.md
// states them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "student/student.h"

namespace tapir::pipeline {

// Input and output are JSONL; "-" is standard input or output.
struct FileCommand {
  std::filesystem::path model;
  std::string input;
  std::string output;
};

struct FileSummary {
  std::int64_t rows = 0;
  std::int64_t failed = 0;
  std::int64_t tokens = 0;  // generated, counted or scored
  double seconds = 0;
};

// {"id", "messages" or "prompt"} -> {"id", "response", "finish_reason", "usage"}; rows come in the
// order of the input. A row that cannot be answered has "error" and is counted.
FileSummary generate_file(const student::StudentEngine& engine, const FileCommand& files,
                          const student::GenerateOptions& options, ProgressSink& progress,
                          std::stop_token stop);
// Its input alone: requests whose ids are the numbers of the rows, from 0. Error{data} "file:line".
std::vector<student::GenerateRequest> read_requests(const std::string& input);
// {"id", "messages" or "prompt"} -> {"id", "ids"}
// Reads the folder's tokenizer only, and its chat template where a row has messages. threads: 0 is
// one for each core.
FileSummary tokenize_file(const FileCommand& files, int threads);
// {"id", "messages" that end with the assistant's, or "prompt" or "messages" and "completion"}
//   -> {"id", "tokens", "logprobs", "loss"}
FileSummary logprobs_file(const student::StudentEngine& engine, const FileCommand& files);

}  // namespace tapir::pipeline
