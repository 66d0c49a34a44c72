// `tapir export gguf`, and the question that follows every export of a student: does it stop?
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "student/answer_check.h"
#include "student/gguf_export.h"
#include "student/student.h"

namespace tapir::pipeline {

struct StopCheck {
  int prompts = 4;           // how many are asked; 0: none
  int max_new_tokens = 256;  // an answer that is longer has not stopped
  std::string file;          // {"id", "messages" or "prompt"} rows to ask; empty: `questions`
  // As many of these as there are; empty: built-in ones.
  std::vector<student::GenerateRequest> questions;
};

// Loads the student and asks it. Error{data} when an answer does not stop by itself; `exported` is
// what the message names. Returns the answers.
std::vector<student::CheckedAnswer> check_stops(const student::StudentEngine& engine,
                                                const std::filesystem::path& model,
                                                const StopCheck& check,
                                                const std::string& exported);

struct GgufJob {
  std::filesystem::path model;
  std::filesystem::path output;
  student::GgufExportOptions options;
  StopCheck check;
};

struct GgufOutcome {
  student::GgufExportResult file;
  std::vector<student::CheckedAnswer> answers;
};

// Writes the file, then asks the student it was made from, with our engine: llama.cpp is not
// there to be asked. The file stays when the check fails.
GgufOutcome export_gguf_file(const student::StudentEngine& engine, const GgufJob& job);

}  // namespace tapir::pipeline
