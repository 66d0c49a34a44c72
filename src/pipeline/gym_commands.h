// `tapir gym ...`: the embedded world on the command line, and the base student made from it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>

#include "base/json.h"
#include "base/progress.h"
#include "student/student.h"

namespace tapir::pipeline {

struct GymItemsOptions {
  std::string what = "pool";   // pool | uniform | beyond
  std::string part = "train";  // train | dev | test; the pool is always train
  std::string family;          // one family only; empty: all
  int level = 0;               // with family: one level only; 0: all
  std::int64_t rows = 100;
  std::uint64_t seed = 42;
  std::string style = "terse";  // of the answers: answer | terse | steps
};
// JSONL {"id", "messages", "response", "task", "family", "level"}; returns the number of rows.
std::int64_t gym_items(const GymItemsOptions& options, const std::string& output);

struct GymExamOptions {
  std::filesystem::path model;
  std::string part = "test";
  std::int64_t uniform = 2000, pool = 500, beyond = 320;
  std::uint64_t seed = 42;
};
// {"sets": {set: {"macro_accuracy", "accuracy", "score", "items", "families": {...}}}}
Json gym_exam_file(const student::StudentEngine& engine, const GymExamOptions& options,
                   ProgressSink& progress, std::stop_token stop);
std::string gym_exam_text(const Json& exam);

// {"id", "messages" or "prompt", "response"} -> {"id", "correct", "score", "components", "words"};
// returns the rows that no family knows.
std::int64_t gym_judge(const std::string& input, const std::string& output);

struct GymBaseOptions {
  std::filesystem::path output;
  std::uint64_t seed = 1;
  std::int64_t tokens = 14000000;
  int vocab_size = 768;
  int hidden_size = 96;
  int intermediate_size = 256;
  int num_hidden_layers = 3;
  int num_attention_heads = 6;
  int max_position_embeddings = 320;
  double learning_rate = 3e-3;
  int batch_tokens = 1024;
  double worked_share = 0.2;
  int lanes = 2;
};
// Tokenizer, fresh student and pre-training on the gym's corpus: how the base of the quickstart is
// made.
void gym_base(const student::StudentEngine& engine, const GymBaseOptions& options,
              ProgressSink& progress, std::stop_token stop);

}  // namespace tapir::pipeline
