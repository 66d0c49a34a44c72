#include "pipeline/benchmarks.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "base/error.h"
#include "evaluate/alpaca_records.h"
#include "pipeline/alpaca_data.h"
#include "pipeline/doctor.h"
#include "pipeline/mt_bench_layout.h"
#include "pipeline/plan.h"

namespace tapir::pipeline {
namespace {

std::filesystem::path alpaca_folder(const Recipe& recipe) {
  return resolve_path(recipe, recipe.benchmarks.alpaca_eval.data_dir);
}

std::filesystem::path mt_folder(const Recipe& recipe) {
  return resolve_path(recipe, recipe.benchmarks.mt_bench.data_dir);
}

void add_alpaca_files(const Recipe& recipe, std::vector<std::filesystem::path>& files) {
  files.push_back(alpaca_set_file(recipe));
  for (const AlpacaFile file : {AlpacaFile::difficulty, AlpacaFile::regularization}) {
    if (const auto found = alpaca_file(alpaca_folder(recipe), file); !found.empty())
      files.push_back(found);
  }
  const std::string& named = recipe.benchmarks.alpaca_eval.template_file;
  const auto prompt = named.empty() ? alpaca_file(alpaca_folder(recipe), AlpacaFile::template_text)
                                    : resolve_path(recipe, named);
  if (!prompt.empty()) files.push_back(prompt);
}

void add_mt_files(const Recipe& recipe, std::vector<std::filesystem::path>& files) {
  files.push_back(mt_question_file(recipe));
  const std::string references = mt_references(recipe);
  if (references != "none" && references != "questions") files.emplace_back(references);
  if (const std::string& prompts = recipe.benchmarks.mt_bench.judge_prompts; !prompts.empty())
    files.push_back(resolve_path(recipe, prompts));
}

BenchmarkFacts alpaca_facts(const Recipe& recipe) {
  const std::string set = alpaca_set_file(recipe).string();
  const auto rows = evaluate::read_model_outputs(read_text(set, "utf-8"), set);
  const auto count = static_cast<double>(rows.size());
  double bytes = 0;
  for (const auto& row : rows)
    bytes += static_cast<double>(row.instruction.size() + row.output.size());
  const auto longest = static_cast<double>(recipe.benchmarks.alpaca_eval.max_new_tokens);
  return {kAlpacaEval, count, longest, count, bytes / std::max(1.0, count), 1};
}

BenchmarkFacts mt_facts(const Recipe& recipe) {
  const auto questions = mt_questions(recipe);
  double bytes = 0;
  for (const auto& question : questions) {
    for (const std::string& turn : question.turns) bytes += static_cast<double>(turn.size());
  }
  const double turns = static_cast<double>(questions.size()) * evaluate::kMtTurns;
  const auto longest = static_cast<double>(recipe.benchmarks.mt_bench.max_new_tokens);
  return {kMtBench, turns, longest, turns, bytes / std::max(1.0, turns), 0};
}

std::string figure(const Json& figures, const char* name, const char* error = nullptr) {
  if (!figures.contains(name) || figures[name].is_null()) return "-";
  std::string text = fmt::format("{:.2f}", figures[name].get<double>());
  if (error != nullptr && figures.contains(error) && !figures[error].is_null())
    text += fmt::format(" +- {:.2f}", figures[error].get<double>());
  return text;
}

std::string alpaca_line(const Json& figures) {
  std::string line =
      fmt::format("LC {}, win rate {}, {} rows, judge {}",
                  figure(figures, "length_controlled_winrate", "lc_standard_error"),
                  figure(figures, "win_rate", "standard_error"),
                  figures["n_total"].get<std::int64_t>(), figures["judge"].get<std::string>());
  if (figures.contains("not_comparable"))
    line +=
        "; not comparable with the leaderboard: " + figures["not_comparable"].get<std::string>();
  return line;
}

std::string mt_line(const Json& figures) {
  return fmt::format("average {}, turns {} and {}, {} judgments, {} failed, judge {}",
                     figure(figures, "average"), figure(figures, "turn1"), figure(figures, "turn2"),
                     figures["judgments"].get<std::int64_t>(),
                     figures["failed"].get<std::int64_t>(), figures["judge"].get<std::string>());
}

}  // namespace

RoleName benchmark_judge_of(const Recipe& recipe) {
  if (recipe.benchmarks.judge == "auditor") return RoleName::auditor;
  return recipe.benchmarks.judge == "teacher" ? RoleName::teacher : RoleName::judge;
}

std::filesystem::path alpaca_set_file(const Recipe& recipe) {
  const std::filesystem::path folder = alpaca_folder(recipe);
  std::filesystem::path found = alpaca_file(folder, AlpacaFile::baseline);
  if (!found.empty()) return found;
  throw Error(ErrorKind::usage,
              "evaluate.alpaca_eval.data_dir: " + folder.string() +
                  " lacks the set, the baseline's outputs",
              "`tapir eval alpaca validate --data-dir DIR` says where upstream keeps its files");
}

std::vector<std::string> alpaca_instructions(const Recipe& recipe) {
  const std::string set = alpaca_set_file(recipe).string();
  return evaluate::read_instruction_list(read_text(set, "utf-8"), set);
}

std::filesystem::path mt_question_file(const Recipe& recipe) {
  return mt_folder(recipe) / "question.jsonl";
}

std::vector<evaluate::MtQuestion> mt_questions(const Recipe& recipe) {
  MtFiles files;
  files.data_dir = mt_folder(recipe);
  return mt_questions_of(files);
}

std::string mt_references(const Recipe& recipe) {
  const std::string& choice = recipe.benchmarks.mt_bench.references;
  if (choice == "none" || choice == "questions") return choice;
  if (choice != "official") return resolve_path(recipe, choice).string();
  return (mt_folder(recipe) / "reference_answer" / "gpt-4.jsonl").string();
}

std::vector<std::filesystem::path> benchmark_files(const Recipe& recipe) {
  std::vector<std::filesystem::path> files;
  if (!recipe.benchmarks.alpaca_eval.data_dir.empty()) add_alpaca_files(recipe, files);
  if (!recipe.benchmarks.mt_bench.data_dir.empty()) add_mt_files(recipe, files);
  for (const auto& file : files) {
    if (!std::filesystem::exists(file))
      throw Error(ErrorKind::data, file.string() + ": the benchmark's file is not there",
                  "evaluate.alpaca_eval and evaluate.mt_bench name the folders; docs/mt_bench.md "
                  "and docs/alpaca_eval.md say where upstream keeps their files");
  }
  return files;
}

std::vector<BenchmarkFacts> benchmark_facts(const Recipe& recipe) {
  std::vector<BenchmarkFacts> facts;
  if (!recipe.benchmarks.alpaca_eval.data_dir.empty()) facts.push_back(alpaca_facts(recipe));
  if (!recipe.benchmarks.mt_bench.data_dir.empty()) facts.push_back(mt_facts(recipe));
  return facts;
}

Json benchmarks_json(const store::RunStore& store) {
  Json out = Json::array();
  for (const store::StageRecord& stage : store.stages()) {
    if (!stage.finished || stage.info.empty()) continue;
    const Json info = parse_json(stage.info, "info of " + stage.name);
    if (!info.is_object() || !info.contains(kBenchmark)) continue;
    Json row = info[kBenchmark];
    row["stage"] = stage.name;
    out.push_back(std::move(row));
  }
  return out;
}

std::string benchmark_line(const Json& benchmark) {
  const Json& figures = benchmark["figures"];
  const bool alpaca = benchmark["benchmark"] == kAlpacaEval;
  return fmt::format("{:<12} {:<14} {}", alpaca ? "AlpacaEval" : "MT-Bench",
                     benchmark["student"].get<std::string>(),
                     figures.is_null() ? "no answer could be judged"
                     : alpaca          ? alpaca_line(figures)
                                       : mt_line(figures));
}

std::string benchmarks_text(const Json& benchmarks) {
  if (benchmarks.empty()) return {};
  std::string out = "benchmarks\n";
  for (const Json& benchmark : benchmarks) out += "  " + benchmark_line(benchmark) + "\n";
  return out;
}

}  // namespace tapir::pipeline
