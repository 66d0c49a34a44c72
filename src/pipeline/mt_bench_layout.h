// FastChat's folder of a benchmark: where its files are, and rows of many models in one file.
// Internal to the pipeline.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "evaluate/mt_bench_rows.h"
#include "pipeline/mt_bench_files.h"

namespace tapir::pipeline {

std::vector<evaluate::MtQuestion> mt_questions_of(const MtFiles& files);

// A name of a model or judge as the name of its file: what cannot stand there becomes "_", as in
// "Qwen/Qwen2.5-7B".
std::string file_name_of(const std::string& name);

// Answers of one model, in the order of the questions. Error{data}: no such file, answers to other
// questions, two to one question unless `duplicates` decides (first, last).
struct MtAnswerFile {
  std::string model;
  std::vector<evaluate::MtAnswer> answers;
  std::int64_t unanswered = 0;
};
MtAnswerFile read_mt_answers(const std::filesystem::path& file,
                             const std::vector<evaluate::MtQuestion>& questions,
                             const std::string& duplicates);
// The files of these models, or all of model_answer/ by name.
std::vector<std::filesystem::path> mt_answer_files(const MtFiles& files,
                                                   const std::vector<std::string>& models);

struct MtReferenceSet {
  std::string name;  // "gpt-4", "questions", "none"
  std::map<std::int64_t, std::vector<std::string>> turns;
};
// `choice`: see MtJudgeFileOptions::references.
MtReferenceSet read_mt_references(const MtFiles& files, const std::string& choice,
                                  const std::vector<evaluate::MtQuestion>& questions);

// Writes `rows` into a file of JSON lines: lines that are there and whose key none of the rows has
// stay before them, byte by byte.
void replace_rows(const std::filesystem::path& file, const std::vector<OrderedJson>& rows,
                  const std::function<std::string(const Json& row)>& key);

// Seconds since 1970.
double time_stamp();

}  // namespace tapir::pipeline
