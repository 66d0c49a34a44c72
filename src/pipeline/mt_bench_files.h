// `tapir eval mtbench answer` and `judge`: FastChat's files in and out, the models of a recipe's
// roles `candidate` and `judge`, and a store of replies beside the output, so that the same command
// goes on where it stopped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/progress.h"
#include "evaluate/mt_bench.h"
#include "pipeline/asked_model.h"
#include "pipeline/recipe.h"

namespace tapir::pipeline {

// Where the files of a benchmark are. Empty paths are those of FastChat's layout below data_dir:
// question.jsonl, reference_answer/gpt-4.jsonl, model_answer/<model>.jsonl,
// model_judgment/<judge>_single.jsonl and _pair.jsonl.
struct MtFiles {
  std::filesystem::path data_dir = "data/mt_bench";
  std::string questions;
  std::string output;           // of the command at work
  std::filesystem::path store;  // of its replies; empty: "<output>.tapir"
};

struct MtAnswerFileOptions {
  MtFiles files;
  std::string model_id;  // empty: the name of the candidate
  int max_tokens = 1024;
  std::optional<double> temperature;  // nothing: by category
  bool overwrite = false;             // an answer file that is there but not from this command
};

struct MtAnswerFileSummary {
  std::string model_id;
  std::string output;
  std::int64_t questions = 0;
  std::int64_t answered = 0;
  std::int64_t truncated = 0;                  // of them, at max_tokens
  std::map<std::string, std::int64_t> failed;  // by reason; their questions are not in the file
  double usd = 0;                              // spent in this sitting
};

// Answers of recipe.candidate as model_answer/<model>.jsonl, in the order of the questions; written
// at the end, whole. Keys read: candidate, budget, seed.
MtAnswerFileSummary answer_mt_bench_files(const Recipe& recipe, const MtAnswerFileOptions& options,
                                          ProgressSink& progress, std::stop_token stop);

struct MtJudgeFileOptions {
  MtFiles files;
  std::vector<std::string> models;  // empty: all of model_answer/
  std::string mode = "single";      // single | pair
  std::string baseline;             // pair: everybody against it; empty: each against each
  // official: reference_answer/gpt-4.jsonl; questions: those of the question file; none; or a file
  std::string references = "official";
  std::string judge_prompts;  // judge_prompts.jsonl of FastChat's form; empty: our own prompts
  int repeats = 1;            // single: so many judgments of every turn
  int max_attempts = 1;       // requests while no rating can be read
  double temperature = 0;     // of the judge
  int max_tokens = 2048;      // of the judge
  std::string duplicates = "error";  // error | first | last: answers to one question
};

struct MtJudgeFileSummary {
  std::string judge;
  std::string output;
  std::vector<std::string> models;
  std::int64_t judgments = 0;  // rows written in this sitting: of pairs one for both
  std::map<std::string, std::int64_t> failed;  // by reason
  std::int64_t unanswered = 0;                 // questions that a model has no answer to
  std::string reference_set;
  std::set<std::int64_t> wrong_references;    // shown although known to be wrong, by question
  std::set<std::int64_t> lacking_references;  // need one and were judged without
  double usd = 0;                             // spent in this sitting
  AskedRows asked;                            // single: the turns that were judged
};

// Judgments of recipe.judge into model_judgment/. Rows of other models and judges that the file
// holds stay; those of the same turns are replaced. Written at the end, whole. Keys read: judge,
// teach.prompts, budget. Error{data}: a model without a file, answers to unknown questions.
MtJudgeFileSummary judge_mt_bench_files(const Recipe& recipe, const MtJudgeFileOptions& options,
                                        ProgressSink& progress, std::stop_token stop);
// The same by a judge that the caller has; `usd` stays 0, the files' `store` is not looked at.
MtJudgeFileSummary judge_mt_bench_files(const Recipe& recipe, const MtJudgeFileOptions& options,
                                        const AskedModel& judge, ProgressSink& progress,
                                        std::stop_token stop);

Json to_json(const MtAnswerFileSummary& summary);
Json to_json(const MtJudgeFileSummary& summary);

}  // namespace tapir::pipeline
