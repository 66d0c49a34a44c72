// Training data out: a folder that other trainers and the Hugging Face hub take as it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "records/instruction.h"

namespace tapir::dataset {

struct ExportRow {
  Instruction instruction;
  std::string response;
  std::string author;  // of the response
  int round = 0;       // whose mixture it is in; 0: the corpus D
  Stratum stratum = Stratum::easy;
  int repeat = 0;
  std::optional<double> teacher_score;  // 1-10, of the judge; both or none
  std::optional<double> student_score;
};

// What a model was asked and what that cost.
struct ModelUse {
  std::string role;   // "teacher", "judge"
  std::string model;  // as its endpoint calls it
  std::int64_t replies = 0, prompt_tokens = 0, completion_tokens = 0;
  double usd = 0;
};

// What the data card says beside what is counted from the rows.
struct DataCard {
  std::string title;        // "Training data of run quickstart, arm tapir"
  std::string version;      // of tapir
  std::string fingerprint;  // of the run
  std::string recipe;       // resolved, YAML
  std::vector<std::pair<std::string, std::string>> facts;  // "Student" -> "Qwen2.5-1.5B", ...
  std::vector<ModelUse> models;
  std::map<std::string, std::string> licenses;  // by Instruction::source
};

enum class ExportFormat { messages, alpaca };
ExportFormat parse_export_format(std::string_view name);  // Error{usage}

struct ExportOptions {
  ExportFormat format = ExportFormat::messages;
  std::string name = "train";  // of the data file and of the entry in dataset_info.json
};

// Writes <name>.jsonl (messages) or <name>.json (Alpaca), README.md (data card) and
// dataset_info.json (LLaMA-Factory) into the folder, which is made when missing; each file is
// replaced whole. Rows in the order given. Returns the paths. Error{data}: no rows; a conversation
// that Alpaca's columns cannot hold (with the id).
std::vector<std::filesystem::path> export_data(const std::vector<ExportRow>& rows,
                                               const DataCard& card, const ExportOptions& options,
                                               const std::filesystem::path& folder);

// The files' contents.
std::string messages_jsonl(const std::vector<ExportRow>& rows);
std::string alpaca_json(const std::vector<ExportRow>& rows);
std::string data_card(const std::vector<ExportRow>& rows, const DataCard& card,
                      const ExportOptions& options);
std::string dataset_info(const std::vector<ExportRow>& rows, const ExportOptions& options);

}  // namespace tapir::dataset
