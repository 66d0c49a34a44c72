// `tapir eval alpaca answer` and `judge`: AlpacaEval 2.0's outputs and annotations, made. Each
// keeps its replies beside its output: the same command goes on where it stopped, and nothing is
// paid twice.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/progress.h"
#include "evaluate/alpaca_join.h"
#include "pipeline/asked_model.h"
#include "pipeline/recipe.h"
#include "stats/intervals.h"

namespace tapir::pipeline {

struct AlpacaAnswerFiles {
  std::string instructions;  // rows with "instruction"; empty: the baseline's file of data_dir
  std::string data_dir;
  std::string output;           // model_outputs.json
  std::filesystem::path store;  // folder of the replies; empty: "<output>.tapir"
  std::string name;             // of the model in tables; empty: candidate.model
};

struct AlpacaAnswerSummary {
  std::string name;
  std::int64_t rows = 0, answered = 0, truncated = 0, empty = 0;
  std::map<std::string, std::int64_t> failed;
  double usd = 0;  // in this sitting
  double seconds = 0;
};

// Rows without an answer are left out and counted. Keys read: candidate, budget, seed.
AlpacaAnswerSummary answer_alpaca_file(const Recipe& recipe, const AlpacaAnswerFiles& files,
                                       ProgressSink& progress, std::stop_token stop);

struct AlpacaJudgeFiles {
  std::string outputs;   // of the evaluated model
  std::string baseline;  // outputs of the one it is compared with; empty: data_dir's
  std::string data_dir;
  std::string prompt;           // template; empty: data_dir's, else ours
  std::string output;           // annotations.json
  std::filesystem::path store;  // folder of the replies; empty: "<output>.tapir"
  std::string annotator;        // name of the judge in tables; empty: model and template
  bool logprobs = true;         // false: the sampled letter
  int repeats = 1;
  int max_tokens = 0;          // 0: 1 with log-probabilities, else 16
  bool allow_missing = false;  // instructions without an output of the model
  bool drop_unknown = false;   // outputs whose instruction the baseline does not have
  evaluate::Duplicates duplicates = evaluate::Duplicates::error;  // not average
  std::string encoding = "utf-8";
};

struct AlpacaJudgeSummary {
  std::string annotator;
  std::int64_t rows = 0;                       // of the baseline
  std::int64_t judged = 0;                     // with a preference
  std::int64_t equal = 0;                      // of them, equal outputs: nobody was asked
  std::int64_t by_letter = 0;                  // replies without log-probabilities
  std::map<std::string, std::int64_t> failed;  // replies, by reason
  std::int64_t missing = 0;                    // instructions without an output
  std::vector<std::string> notes;              // what was decided by a flag
  AskedRows asked;                             // pairs that were judged, equal ones too
  double usd = 0;
  double seconds = 0;
};

// Error{data} before anybody is asked: outputs that are missing, unknown or double, without the
// flag that decides. Keys read: judge, budget, seed.
AlpacaJudgeSummary judge_alpaca_file(const Recipe& recipe, const AlpacaJudgeFiles& files,
                                     ProgressSink& progress, std::stop_token stop);
// The same by a judge that the caller has; `usd` stays 0, `store` is not looked at.
AlpacaJudgeSummary judge_alpaca_file(const Recipe& recipe, const AlpacaJudgeFiles& files,
                                     const AskedModel& judge, ProgressSink& progress,
                                     std::stop_token stop);

Json to_json(const AlpacaAnswerSummary& summary);
Json to_json(const AlpacaJudgeSummary& summary);
std::string to_text(const AlpacaAnswerSummary& summary);
std::string to_text(const AlpacaJudgeSummary& summary);

}  // namespace tapir::pipeline
