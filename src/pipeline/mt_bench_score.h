// `tapir eval mtbench score`: figures of judgments in FastChat's files; asks nobody.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "evaluate/mt_bench.h"
#include "evaluate/mt_bench_rows.h"

namespace tapir::pipeline {

struct MtScoreOptions {
  // model_judgment/*_single.jsonl and *_pair.jsonl, maybe .gz; rows of both kinds may be mixed.
  std::vector<std::string> judgments;
  std::string questions;  // question.jsonl; empty: the ids and categories of the official 80
  std::string duplicates = "error";       // error | first | last | average
  std::string other_questions = "error";  // error | leave_out: judgments of unknown questions
  std::string scores = "recorded";        // recorded | text
  std::string baseline;                   // compare with this model; empty: nothing is compared
  double margin = 0;                      // of equivalence, in points; 0: not tested
  std::uint64_t seed = 42;                // of the comparisons
};

struct MtScoreReport {
  Json json;                 // {"models": [...], "pairs"?, "comparisons"?, "judges"?, "left_out"?}
  std::string text;          // the same as tables
  std::int64_t failed = 0;   // judgments, and pairs, without a verdict
  std::int64_t missing = 0;  // turns of questions that nobody judged
  std::vector<std::string> notes;  // what the reader must know of these figures, one line each
};

// The questions of a question.jsonl. Error{data}: one stands twice, there is none.
std::vector<evaluate::MtQuestion> read_mt_questions(const std::string& file);

// Error{data} "file:line"; duplicates and unknown questions are named unless the options decide.
MtScoreReport score_mt_bench_files(const MtScoreOptions& options);

}  // namespace tapir::pipeline
