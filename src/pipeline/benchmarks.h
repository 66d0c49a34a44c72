// AlpacaEval 2.0 and MT-Bench at the end of a run (evaluate.alpaca_eval, evaluate.mt_bench): their
// files, who judges, and their figures. Internal to the pipeline.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "evaluate/mt_bench.h"
#include "pipeline/recipe.h"
#include "pipeline/role_model.h"
#include "store/run_store.h"

namespace tapir::pipeline {

// The role that evaluate.judge names.
RoleName benchmark_judge_of(const Recipe& recipe);

// Of evaluate.alpaca_eval. Error{usage} when the folder lacks the set: the baseline's outputs.
std::filesystem::path alpaca_set_file(const Recipe& recipe);
std::vector<std::string> alpaca_instructions(const Recipe& recipe);

// Of evaluate.mt_bench. Error{data} when there are none.
std::filesystem::path mt_question_file(const Recipe& recipe);
std::vector<evaluate::MtQuestion> mt_questions(const Recipe& recipe);
// As MtJudgeFileOptions::references, with the path of the official ones.
std::string mt_references(const Recipe& recipe);

// Everything that the recipe's benchmarks read. Error as above.
std::vector<std::filesystem::path> benchmark_files(const Recipe& recipe);

// What a benchmark will be asked, for an estimate: means of a request to the judge.
struct BenchmarkFacts {
  std::string name;           // kAlpacaEval or kMtBench
  double answers = 0;         // of each student
  double longest_answer = 0;  // tokens
  double judgments = 0;       // of each student
  double prompt_bytes = 0;    // of a judgment, without the student's answer and our words
  double reply_tokens = 0;    // of a judgment; 0: as other judges' replies
};
std::vector<BenchmarkFacts> benchmark_facts(const Recipe& recipe);

// What the finished benchmarks of a run came to, in the plan's order:
// [{"stage", "benchmark", "student", "figures"}]; figures are a row of "models" of `tapir eval
// alpaca score` or `tapir eval mtbench score`, or null where nothing could be judged.
inline constexpr const char* kBenchmark = "benchmark";  // the key in a stage's info
Json benchmarks_json(const store::RunStore& store);
std::string benchmark_line(const Json& benchmark);
std::string benchmarks_text(const Json& benchmarks);  // with a heading; empty without any

}  // namespace tapir::pipeline
