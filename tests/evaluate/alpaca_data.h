// The real annotations of AlpacaEval 2.0 in the form that alpaca_eval writes. The test data has
// them without their texts: the instructions and the baseline's outputs come from its file, and the
// models' outputs are fillers of the right lengths (equal outputs stay equal).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "evaluate/alpaca_records.h"
#include "evaluate/alpaca_tables.h"
#include "test_data.h"

namespace tapir::testing {

inline std::filesystem::path alpaca_folder() { return test_data() / "alpaca_eval"; }

inline const std::vector<std::string>& alpaca_models() {
  static const std::vector<std::string> models = {
      "NullModel",   "alpaca-7b",          "claude-2",
      "gemma-2b-it", "gpt-3.5-turbo-1106", "gpt-3.5-turbo-1106_verbose",
      "phi-2",       "text_davinci_001",   "vicuna-13b-v1.5",
      "vicuna-7b",   "wizardlm-13b"};
  return models;
}

inline std::string alpaca_text(const std::string& name) {
  return read_file(alpaca_folder() / name);
}

inline const std::vector<evaluate::ModelOutput>& alpaca_baseline() {
  static const std::vector<evaluate::ModelOutput> rows = evaluate::read_model_outputs(
      alpaca_text("outputs/gpt4_1106_preview.json.gz"), "gpt4_1106_preview.json.gz");
  return rows;
}

inline std::vector<std::string> alpaca_instructions() {
  std::vector<std::string> instructions;
  for (const evaluate::ModelOutput& row : alpaca_baseline())
    instructions.push_back(row.instruction);
  return instructions;
}

// As the file has them, with "i", "M_is" and "top".
inline std::vector<Json> stripped_annotations(const std::string& model) {
  std::vector<Json> rows;
  for_each_jsonl(alpaca_folder() / "annotations" / (model + ".jsonl.gz"),
                 [&](const Json& row, const std::string&) { rows.push_back(row); });
  return rows;
}

inline std::vector<evaluate::Annotation> alpaca_annotations(const std::string& model) {
  std::vector<evaluate::Annotation> annotations;
  for (const Json& row : stripped_annotations(model)) {
    const evaluate::ModelOutput& base = alpaca_baseline().at(row.at("i").get<std::size_t>());
    evaluate::Annotation a;
    a.instruction = base.instruction;
    a.dataset = base.dataset;
    a.output_1 = base.output;
    a.generator_1 = "gpt4_1106_preview";
    a.output_2 = row.contains("top") ? std::string(row.at("len_2").get<std::size_t>(), 'x')
                                     : base.output;  // without a reply: equal outputs
    a.generator_2 = model;
    a.annotator = "weighted_alpaca_eval_gpt4_turbo";
    if (!row.at("preference").is_null()) a.preference = row.at("preference").get<double>();
    if (row.contains("top")) {
      for (const Json& token : row.at("top")) a.first_tokens.push_back({token[0], token[1]});
      a.reply = row.at("text");
    }
    annotations.push_back(std::move(a));
  }
  return annotations;
}

inline std::map<std::string, evaluate::LeaderboardRow> alpaca_leaderboard() {
  std::map<std::string, evaluate::LeaderboardRow> rows;
  for (auto& row : evaluate::read_leaderboard(alpaca_text("leaderboard.csv"), "leaderboard.csv"))
    rows[row.name] = row;
  return rows;
}

}  // namespace tapir::testing
