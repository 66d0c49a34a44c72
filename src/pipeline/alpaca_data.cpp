#include "pipeline/alpaca_data.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "base/error.h"
#include "evaluate/alpaca_records.h"
#include "evaluate/alpaca_tables.h"
#include "prompting/alpaca_template.h"

namespace tapir::pipeline {
namespace {

constexpr std::string_view kDataset = "https://huggingface.co/datasets/tatsu-lab/alpaca_eval";
constexpr std::string_view kCode =
    "https://github.com/tatsu-lab/alpaca_eval, src/alpaca_eval/evaluators_configs/"
    "alpaca_eval_clf_gpt4_turbo/";
constexpr std::string_view kWeights =
    "https://github.com/tatsu-lab/alpaca_eval, src/alpaca_eval/metrics/weights/"
    "weighted_alpaca_eval_gpt4_turbo/length_controlled_v1/";
constexpr std::string_view kLeaderboards =
    "https://github.com/tatsu-lab/alpaca_eval, src/alpaca_eval/leaderboards/data_AlpacaEval_2/";

const AlpacaFileInfo& info_of(AlpacaFile file) {
  for (const AlpacaFileInfo& info : alpaca_files()) {
    if (info.file == file) return info;
  }
  throw Error(ErrorKind::bug, "a file of AlpacaEval that the table does not have");
}

// What a readable file holds. Throws Error when it is not what it should be.
std::string contents_of(AlpacaFile file, const std::filesystem::path& path) {
  const std::string text = read_text(path, "utf-8");
  const std::string name = path.string();
  switch (file) {
    case AlpacaFile::baseline:
      return fmt::format("{} instructions", evaluate::read_instruction_list(text, name).size());
    case AlpacaFile::difficulty:
      return fmt::format("{} difficulties", evaluate::read_difficulties(text, name).size());
    case AlpacaFile::regularization:
      return fmt::format("{} rows", evaluate::read_regularization(text, name).size());
    case AlpacaFile::template_text:
      prompting::PairTemplate::parse(text, name);
      return "judge template";
    case AlpacaFile::weights:
      return fmt::format("{} models", evaluate::read_weights(text, name).size());
    case AlpacaFile::leaderboard:
      return fmt::format("{} models", evaluate::read_leaderboard(text, name).size());
  }
  return {};
}

}  // namespace

const std::vector<AlpacaFileInfo>& alpaca_files() {
  static const std::vector<AlpacaFileInfo> files = {
      {AlpacaFile::baseline, "alpaca_eval_gpt4_baseline.json",
       "the set in its official order, and the baseline's outputs", kDataset},
      {AlpacaFile::difficulty, "instruction_difficulty.csv", "the length-controlled win rate",
       kDataset},
      {AlpacaFile::regularization, "df_gamed.csv", "the length-controlled win rate", kDataset},
      {AlpacaFile::template_text, "alpaca_eval_clf.txt", "asking the judge as the leaderboard does",
       kCode},
      {AlpacaFile::weights, "baseline_gpt4_1106_preview.csv", "head to head with published models",
       kWeights},
      {AlpacaFile::leaderboard, "weighted_alpaca_eval_gpt4_turbo_leaderboard.csv",
       "comparison with published figures", kLeaderboards},
  };
  return files;
}

std::filesystem::path alpaca_file(const std::filesystem::path& data_dir, AlpacaFile file) {
  if (data_dir.empty()) return {};
  std::filesystem::path plain = data_dir / info_of(file).name;
  const std::filesystem::path packed = plain.string() + ".gz";
  if (std::filesystem::exists(plain)) return plain;
  return std::filesystem::exists(packed) ? packed : std::filesystem::path();
}

std::vector<AlpacaFileCheck> check_alpaca_files(const std::filesystem::path& data_dir) {
  if (!std::filesystem::is_directory(data_dir)) {
    throw Error(ErrorKind::data, data_dir.string() + " is no folder",
                "make it, and put upstream's files there; `tapir eval alpaca validate` then says "
                "which are missing");
  }
  std::vector<AlpacaFileCheck> checks;
  for (const AlpacaFileInfo& info : alpaca_files()) {
    AlpacaFileCheck check{std::string(info.name), false, false, ""};
    const std::filesystem::path path = alpaca_file(data_dir, info.file);
    check.there = !path.empty();
    if (!check.there) {
      check.words =
          fmt::format("needed for {}; upstream keeps it at {}", info.purpose, info.source);
    } else {
      try {
        check.words = contents_of(info.file, path);
        check.ok = true;
      } catch (const Error& e) {
        check.words = e.what();
      }
    }
    checks.push_back(std::move(check));
  }
  return checks;
}

Json alpaca_checks_json(const std::vector<AlpacaFileCheck>& checks) {
  Json all = Json::array();
  for (const AlpacaFileCheck& check : checks) {
    all.push_back(
        {{"file", check.name}, {"there", check.there}, {"ok", check.ok}, {"words", check.words}});
  }
  return {{"files", all}};
}

std::string alpaca_checks_text(const std::vector<AlpacaFileCheck>& checks) {
  std::string text;
  for (const AlpacaFileCheck& check : checks) {
    const char* state = check.ok ? "ok" : (check.there ? "WRONG" : "MISSING");
    text += fmt::format("{:<7}  {}: {}\n", state, check.name, check.words);
  }
  return text;
}

}  // namespace tapir::pipeline
