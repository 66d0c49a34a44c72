// `tapir judge`: the stage "difficulty" on a file, and adaptive orders replayed on recorded pairs.
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/progress.h"
#include "pipeline/file_stage.h"

namespace tapir::pipeline {

struct JudgeFileOptions {
  StageFiles files;
  // Answers of the student as `tapir generate` writes them; empty: the rows' own
  // "student_response".
  std::string student;
};

struct JudgeFileSummary {
  std::int64_t rows = 0;
  std::int64_t judged = 0;
  std::int64_t hard = 0;                       // gap passes difficulty.threshold
  std::map<std::string, std::int64_t> failed;  // by reason; "no_answer": teacher's or student's
  double usd = 0;                              // spent in this sitting
  double seconds = 0;
  Json judge;       // judge_figures()
  Json components;  // component_figures(), of judge.kind: rubric; else null
};

// Instruction rows {"id", "instruction" or "messages", "input"?, "response" (the teacher's),
// "student_response"?, and for judge.kind: rubric what rubric/read_rubric.h reads} -> the same with
// "scores": {"teacher", "student", "gap"}, "orders" and "truncated", or "scores": null and
// "failure". Rows in the order of the input; written at the end, whole. Keys read: judge,
// difficulty, teach.prompts, budget, seed. A judge that scores by rule needs no store.
JudgeFileSummary judge_file(const Recipe& recipe, const JudgeFileOptions& options,
                            ProgressSink& progress, std::stop_token stop);

struct JudgeOrdersOptions {
  std::string input;  // JSONL {"id", "teacher_first": [teacher, student], "student_first": [..]}
  std::vector<double> thresholds = {1, 2, 3};
  bool strict = true;
  int pilot_rows = 1000;
  double max_flip_rate = 0.01;
  bool hindsight = false;  // no pilot: the band that all pairs together would set
  int seeds = 1;           // pilots and orders are drawn so often; figures are means over them
  std::uint64_t seed = 42;
};
// {"pairs", "thresholds": [{"threshold", "pilot", "band", "hard", "second_calls", "saved_calls",
// "saved_share", "flips", "flip_rate", "single_flip_rate"}]}; calls and rates of all pairs.
Json judge_orders(const JudgeOrdersOptions& options);
std::string judge_orders_text(const Json& orders);

}  // namespace tapir::pipeline
