// AlpacaEval 2.0 and MT-Bench at the end of a run. Answers stand in the store, as all answers do,
// and beside the judgments in upstream's files below evaluation/.
#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "evaluate/alpaca_records.h"
#include "evaluate/mt_bench_rows.h"
#include "pipeline/alpaca_ask_files.h"
#include "pipeline/alpaca_score_files.h"
#include "pipeline/benchmarks.h"
#include "pipeline/gym_binding.h"
#include "pipeline/mt_bench_files.h"
#include "pipeline/mt_bench_layout.h"
#include "pipeline/mt_bench_score.h"
#include "pipeline/options.h"
#include "pipeline/row_files.h"
#include "pipeline/run.h"

namespace tapir::pipeline {
namespace {

// Under whom a student's answers to a benchmark are booked.
std::string author_at(const char* benchmark, const std::string& who) {
  return std::string(benchmark) + "/" + who;
}

Instruction benchmark_row(std::string id, const char* benchmark, Messages messages) {
  Instruction row;
  row.id = std::move(id);
  row.messages = std::move(messages);
  row.task = row.source = benchmark;
  row.round = kOutsideD;
  return row;
}

std::string alpaca_id(std::size_t place) { return fmt::format("{}/{}", kAlpacaEval, place); }

// turn: from 0.
std::string mt_id(const evaluate::MtQuestion& question, int turn) {
  return fmt::format("{}/{}/{}", kMtBench, question.id, turn + 1);
}

// The recipe as the benchmark's judge reads it: who judges is its `judge`.
Recipe judged_by(const Recipe& recipe) {
  Recipe out = recipe;
  out.judge = part_of(recipe, benchmark_judge_of(recipe));
  return out;
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure)
    throw Error(ErrorKind::data,
                "cannot make the folder " + folder.string() + ": " + failure.message());
}

}  // namespace

void Run::sit_benchmarks() {
  for (const std::string& who : recipe_.benchmarks.students) {
    if (!recipe_.benchmarks.alpaca_eval.data_dir.empty()) {
      const std::string name = author_at(kAlpacaEval, who);
      stage(name + "/answers", [&](const auto& s) { return answer_alpaca(s, who); });
      stage(name, [&](const auto& s) { return judge_alpaca(s, who); });
    }
    if (!recipe_.benchmarks.mt_bench.data_dir.empty()) {
      const std::string name = author_at(kMtBench, who);
      stage(name + "/answers", [&](const auto& s) { return answer_mt_bench(s, who); });
      stage(name, [&](const auto& s) { return judge_mt_bench(s, who); });
    }
  }
}

std::string Run::student_called(const std::string& who) const {
  if (who == "s0" || who == kFinal) return who;
  return student_name(who, static_cast<int>(recipe_.curriculum.rounds));
}

std::map<std::string, std::string> Run::answers_of(const std::string& author) const {
  std::map<std::string, std::string> answers;
  for (const Response& response : store_->responses(author))
    answers[response.instruction_id] = trim(response.text);
  return answers;
}

// Once: the rows are the same for all.
void Run::keep_benchmark_rows(const std::string& stage, const std::string& who,
                              const std::vector<Instruction>& rows) {
  if (who != recipe_.benchmarks.students.front()) return;
  for (const Instruction& row : rows) store_->put_instruction(stage, row);
}

AskedModel Run::benchmark_judge(const std::string& stage) {
  const RoleName role = benchmark_judge_of(recipe_);
  return {[this, role]() -> llm::ChatModel& {
            if (role == RoleName::auditor) return auditor_->model();
            return role == RoleName::teacher ? teacher_->model() : judge_->model();
          },
          [this, role, stage](bool complete) {
            check_complete(complete, stage, std::string(to_string(role)));
          }};
}

Run::StageEnd Run::end_of_benchmark(const std::string& stage, const std::string& who,
                                    const AskedRows& rows, std::int64_t unanswered,
                                    const Json& figures) {
  for (const auto& [id, failure] : rows)
    store_->put_outcome(stage, id, failure.empty() ? Outcome::done : Outcome::failed, failure);
  for (std::int64_t i = 0; i < unanswered; ++i)
    store_->put_outcome(stage, fmt::format("unanswered/{}", i), Outcome::filtered, "no_answer");
  const Json found = {
      {"benchmark", stage.substr(0, stage.find('/'))}, {"student", who}, {"figures", figures}};
  progress_.message(benchmark_line(found));
  return end_of(stage, rows.size() + static_cast<std::size_t>(unanswered),
                Json{{kBenchmark, found}}.dump());
}

// ---- AlpacaEval 2.0 ----

Run::StageEnd Run::answer_alpaca(const std::string& stage, const std::string& who) {
  const std::vector<std::string> instructions = alpaca_instructions(recipe_);
  std::vector<Instruction> rows;
  for (std::size_t i = 0; i < instructions.size(); ++i)
    rows.push_back(benchmark_row(alpaca_id(i), kAlpacaEval, {{Role::user, instructions[i]}}));
  keep_benchmark_rows(stage, who, rows);
  student::GenerateOptions options = generate_options(recipe_);
  options.sampling.max_new_tokens = static_cast<int>(recipe_.benchmarks.alpaca_eval.max_new_tokens);
  const std::string author = author_at(kAlpacaEval, who);
  ask_student(stage, student_called(who), author, rows, options);
  const auto answers = answers_of(author);
  std::vector<OrderedJson> outputs;
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    const auto answer = answers.find(alpaca_id(i));
    if (answer == answers.end()) continue;
    outputs.push_back(evaluate::to_json(
        evaluate::ModelOutput{instructions[i], answer->second, recipe_.name + "-" + who, "", ""}));
  }
  make_folder(benchmark_folder(author));
  write_file(benchmark_folder(author) / "model_outputs.json", evaluate::json_array_text(outputs));
  return end_of(stage, rows.size());
}

Run::StageEnd Run::judge_alpaca(const std::string& stage, const std::string& who) {
  const auto& keys = recipe_.benchmarks.alpaca_eval;
  const std::filesystem::path folder = benchmark_folder(author_at(kAlpacaEval, who));
  AlpacaJudgeFiles files;
  files.outputs = (folder / "model_outputs.json").string();
  files.output = (folder / "annotations.json").string();
  files.data_dir = resolve(keys.data_dir).string();
  if (!keys.template_file.empty()) files.prompt = resolve(keys.template_file).string();
  files.logprobs = keys.logprobs;
  files.allow_missing = true;  // they are in the ledger
  const AlpacaJudgeSummary judged =
      judge_alpaca_file(judged_by(recipe_), files, benchmark_judge(stage), progress_, stop_);
  Json figures;
  if (judged.judged > 0) {
    AlpacaScoreOptions scoring;
    scoring.annotations = {files.output};
    scoring.data_dir = files.data_dir;
    scoring.allow_missing = true;
    figures = alpaca_scores_json(score_alpaca(scoring))["models"][0];
    figures["lc"].erase("seconds");  // the same run, the same figures
  }
  return end_of_benchmark(stage, who, judged.asked, judged.missing, figures);
}

// ---- MT-Bench ----

// A turn sees the ones before it with the student's own answers.
void Run::ask_mt_turn(const std::string& stage, const std::string& who,
                      const std::vector<evaluate::MtQuestion>& questions, int turn) {
  const std::string author = author_at(kMtBench, who);
  const auto answers = answers_of(author);
  std::map<double, std::vector<Instruction>> by_temperature;
  for (const evaluate::MtQuestion& question : questions) {
    Messages messages;
    for (int before = 0; before < turn; ++before) {
      const auto answer = answers.find(mt_id(question, before));
      if (answer == answers.end()) break;
      messages.push_back({Role::user, question.turns[static_cast<std::size_t>(before)]});
      messages.push_back({Role::assistant, answer->second});
    }
    if (messages.size() != 2 * static_cast<std::size_t>(turn)) {
      store_->put_outcome(stage, mt_id(question, turn), Outcome::filtered, "no_answer");
      continue;
    }
    messages.push_back({Role::user, question.turns[static_cast<std::size_t>(turn)]});
    const double temperature =
        question.temperature.value_or(evaluate::mt_temperature(question.category));
    by_temperature[temperature].push_back(
        benchmark_row(mt_id(question, turn), kMtBench, std::move(messages)));
  }
  for (const auto& [temperature, rows] : by_temperature) {
    keep_benchmark_rows(stage, who, rows);
    student::GenerateOptions options = exam_options(recipe_);
    options.sampling.temperature = temperature;
    options.sampling.seed = recipe_.seed;
    options.sampling.max_new_tokens = static_cast<int>(recipe_.benchmarks.mt_bench.max_new_tokens);
    if (!stop_.stop_requested()) ask_student(stage, student_called(who), author, rows, options);
  }
}

Run::StageEnd Run::answer_mt_bench(const std::string& stage, const std::string& who) {
  const std::vector<evaluate::MtQuestion> questions = mt_questions(recipe_);
  for (int turn = 0; turn < evaluate::kMtTurns && !stop_.stop_requested(); ++turn)
    ask_mt_turn(stage, who, questions, turn);
  const auto answers = answers_of(author_at(kMtBench, who));
  const std::filesystem::path folder = benchmark_folder(kMtBench) / "model_answer";
  make_folder(folder);
  RowsOut out((folder / (who + ".jsonl")).string());
  const double time = time_stamp();
  for (const evaluate::MtQuestion& question : questions) {
    evaluate::MtAnswer answer{question.id, who, {}, ""};
    for (int turn = 0; turn < evaluate::kMtTurns; ++turn) {
      const auto found = answers.find(mt_id(question, turn));
      if (found != answers.end()) answer.turns.push_back(found->second);
    }
    if (answer.turns.size() == evaluate::kMtTurns) out.add(evaluate::to_json(answer, time));
  }
  out.finish();
  return end_of(stage, questions.size() * evaluate::kMtTurns);
}

Run::StageEnd Run::judge_mt_bench(const std::string& stage, const std::string& who) {
  const auto& keys = recipe_.benchmarks.mt_bench;
  MtJudgeFileOptions options;
  options.files.data_dir = benchmark_folder(kMtBench);
  options.files.questions = mt_question_file(recipe_).string();
  options.models = {who};
  options.references = mt_references(recipe_);
  if (!keys.judge_prompts.empty()) options.judge_prompts = resolve(keys.judge_prompts).string();
  options.max_attempts = static_cast<int>(recipe_.judge_max_attempts);
  const MtJudgeFileSummary judged =
      judge_mt_bench_files(judged_by(recipe_), options, benchmark_judge(stage), progress_, stop_);
  MtScoreOptions scoring;
  scoring.judgments = {judged.output};
  scoring.questions = options.files.questions;
  const Json scores = score_mt_bench_files(scoring).json;
  Json figures;
  for (const Json& model : scores["models"]) {
    if (model["model"] == who) figures = model;
  }
  return end_of_benchmark(stage, who, judged.asked, evaluate::kMtTurns * judged.unanswered,
                          figures);
}

}  // namespace tapir::pipeline
