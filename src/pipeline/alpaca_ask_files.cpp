#include "pipeline/alpaca_ask_files.h"

#include <chrono>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strings.h"
#include "evaluate/alpaca_ask.h"
#include "evaluate/alpaca_records.h"
#include "pipeline/alpaca_data.h"
#include "pipeline/file_stage.h"
#include "pipeline/options.h"

namespace tapir::pipeline {
namespace {

using Clock = std::chrono::steady_clock;

// Who the leaderboard's judge is: this model, asked with this template for one token.
constexpr std::string_view kBoardJudge = "weighted_alpaca_eval_gpt4_turbo";
constexpr std::string_view kBoardModel = "gpt-4-1106-preview";
constexpr std::string_view kBoardTemplate =
    "56efc1b4b6f0e8b5";  // PairTemplate::version() of upstream's file

// The named file, or upstream's of the data folder. Error{usage} when there is neither.
std::string required_file(const std::string& named, const std::string& data_dir, AlpacaFile file,
                          const std::string& option) {
  if (!named.empty()) return named;
  const std::filesystem::path found = alpaca_file(data_dir, file);
  if (!found.empty()) return found.string();
  throw Error(ErrorKind::usage, option + " is not given, and there is no such file in --data-dir",
              "name the file; `tapir eval alpaca validate` says where upstream keeps it");
}

void check_output(const std::string& output) {
  if (output != "-") return;
  throw Error(ErrorKind::usage, "--output: expected a file, found -",
              "the replies are kept beside it");
}

std::string model_name(const ModelPart& part, const std::string& fallback) {
  if (part.model.empty()) return fallback;
  return part.kind == "student" ? student_name_of(part) : part.model;
}

// ---- judging ----

struct Pairs {
  std::vector<evaluate::AlpacaPair> asked;
  std::vector<evaluate::Annotation> rows;  // as asked, without a preference yet
  std::size_t baseline = 0;                // instructions
  evaluate::Fault missing, unknown, duplicates;
};

Pairs pairs_of(const std::vector<evaluate::ModelOutput>& baseline,
               const std::vector<evaluate::ModelOutput>& outputs, evaluate::Duplicates duplicates) {
  Pairs pairs;
  pairs.baseline = baseline.size();
  std::unordered_map<std::string, const evaluate::ModelOutput*> by_instruction;  // looked up only
  for (const evaluate::ModelOutput& output : outputs) {
    const auto [known, is_new] = by_instruction.emplace(output.instruction, &output);
    if (is_new) continue;
    pairs.duplicates.add(output.where + " " + evaluate::shown(output.instruction));
    if (duplicates == evaluate::Duplicates::last) known->second = &output;
  }
  std::set<std::string> used;
  for (const evaluate::ModelOutput& base : baseline) {
    if (!used.insert(base.instruction).second) {
      throw Error(ErrorKind::data, base.where + ": this instruction came before",
                  "the baseline answers every instruction once");
    }
    const auto found = by_instruction.find(base.instruction);
    if (found == by_instruction.end()) {
      pairs.missing.add(evaluate::shown(base.instruction));
      continue;
    }
    const evaluate::ModelOutput& output = *found->second;
    evaluate::Annotation row;
    row.instruction = base.instruction;
    row.dataset = base.dataset;
    row.output_1 = base.output;
    row.generator_1 = base.generator.empty() ? "baseline" : base.generator;
    row.output_2 = output.output;
    row.generator_2 = output.generator.empty() ? "model" : output.generator;
    pairs.asked.push_back({row.instruction, row.output_1, row.output_2});
    pairs.rows.push_back(std::move(row));
  }
  for (const evaluate::ModelOutput& output : outputs) {
    if (!used.contains(output.instruction))
      pairs.unknown.add(output.where + " " + evaluate::shown(output.instruction));
  }
  return pairs;
}

// What the flags decide is noted, what they do not is refused, before anything is paid.
std::vector<std::string> decide(const AlpacaJudgeFiles& files, const Pairs& pairs) {
  std::vector<std::string> notes;
  std::vector<std::string> refused;
  const auto sort = [&](const evaluate::Fault& fault, std::string_view what, bool allowed,
                        std::string_view flag) {
    if (fault.count == 0) return;
    const std::string text =
        fmt::format("{} {}: {}{}", fault.count, what, join(fault.examples, "; "),
                    fault.count > 3 ? "; ..." : "");
    allowed ? notes.push_back(text) : refused.push_back(text + fmt::format(" ({})", flag));
  };
  sort(pairs.missing, "instructions without an output of the model", files.allow_missing,
       "--allow-missing leaves them out");
  sort(pairs.unknown, "outputs whose instruction the baseline does not have", files.drop_unknown,
       "--drop-unknown leaves them out");
  sort(pairs.duplicates, "outputs on an instruction that came before",
       files.duplicates != evaluate::Duplicates::error, "--duplicates first or last");
  if (refused.empty()) return notes;
  throw Error(ErrorKind::data, files.outputs + ": " + join(refused, "\n"),
              "nobody was asked yet; mend the file, or decide with the flags named");
}

prompting::PairTemplate template_of(const AlpacaJudgeFiles& files) {
  const std::filesystem::path path = files.prompt.empty()
                                         ? alpaca_file(files.data_dir, AlpacaFile::template_text)
                                         : std::filesystem::path(files.prompt);
  if (path.empty()) return prompting::PairTemplate::built_in();
  return prompting::PairTemplate::parse(read_text(path, "utf-8"), path.filename().string());
}

std::string annotator_of(const AlpacaJudgeFiles& files, const std::string& model,
                         const prompting::PairTemplate& prompt) {
  if (!files.annotator.empty()) return files.annotator;
  const bool plain = files.logprobs && files.repeats == 1 && files.max_tokens <= 1;
  if (plain && model == kBoardModel && prompt.version() == kBoardTemplate)
    return std::string(kBoardJudge);
  return fmt::format("{} (template: {}{}{})", model, prompt.name(),
                     files.logprobs ? "" : "; letter",
                     files.repeats > 1 ? fmt::format("; {} times", files.repeats) : "");
}

evaluate::AlpacaJudgeOptions judge_options_of(const Recipe& recipe, const AlpacaJudgeFiles& files) {
  evaluate::AlpacaJudgeOptions options;
  options.logprobs = files.logprobs;
  options.max_tokens = files.max_tokens > 0 ? files.max_tokens : (files.logprobs ? 1 : 16);
  options.repeats = files.repeats;
  options.max_attempts = static_cast<int>(recipe.judge_max_attempts);
  options.max_in_flight = in_flight(recipe.judge);
  return options;
}

}  // namespace

AlpacaAnswerSummary answer_alpaca_file(const Recipe& recipe, const AlpacaAnswerFiles& files,
                                       ProgressSink& progress, std::stop_token stop) {
  const auto start = Clock::now();
  check_output(files.output);
  const std::string set =
      required_file(files.instructions, files.data_dir, AlpacaFile::baseline, "--instructions");
  const std::string text = read_text(set, "utf-8");
  const std::vector<std::string> instructions = evaluate::read_instruction_list(text, set);
  const std::vector<OrderedJson> as_written = evaluate::read_rows_as_written(text, set);
  AlpacaAnswerSummary summary;
  summary.name = files.name.empty() ? model_name(recipe.candidate, "candidate") : files.name;
  FileStage stage(recipe, {set, files.output, files.store}, "alpaca answer", progress, stop);
  evaluate::AlpacaAnswerOptions options;
  options.sampling = sampling_of(recipe.candidate);
  options.max_in_flight = in_flight(recipe.candidate);
  const evaluate::AlpacaAnswers answers = evaluate::answer_alpaca(
      stage.model(RoleName::candidate), instructions, options, progress, stop);
  stage.check_complete(answers.complete, RoleName::candidate);
  std::vector<OrderedJson> rows;
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    ++summary.rows;
    if (!answers.outputs[i]) continue;
    const std::string dataset =
        as_written[i].contains("dataset") && as_written[i]["dataset"].is_string()
            ? as_written[i]["dataset"].get<std::string>()
            : std::string();
    rows.push_back(evaluate::to_json(
        evaluate::ModelOutput{instructions[i], *answers.outputs[i], summary.name, dataset, ""}));
  }
  write_file(files.output, evaluate::json_array_text(rows));
  summary.answered = static_cast<std::int64_t>(rows.size());
  summary.truncated = answers.truncated;
  summary.empty = answers.empty;
  summary.failed = answers.failed;
  summary.usd = stage.usd();
  summary.seconds = seconds_since(start);
  return summary;
}

AlpacaJudgeSummary judge_alpaca_file(const Recipe& recipe, const AlpacaJudgeFiles& files,
                                     ProgressSink& progress, std::stop_token stop) {
  LateFileStage stage([&] {
    return std::make_unique<FileStage>(recipe, StageFiles{files.outputs, files.output, files.store},
                                       "alpaca judge", progress, stop);
  });
  AlpacaJudgeSummary summary =
      judge_alpaca_file(recipe, files, stage.asked(RoleName::judge), progress, stop);
  summary.usd = stage.usd();
  return summary;
}

AlpacaJudgeSummary judge_alpaca_file(const Recipe& recipe, const AlpacaJudgeFiles& files,
                                     const AskedModel& judge, ProgressSink& progress,
                                     std::stop_token stop) {
  const auto start = Clock::now();
  check_output(files.output);
  const std::string base =
      required_file(files.baseline, files.data_dir, AlpacaFile::baseline, "--baseline");
  Pairs pairs = pairs_of(
      evaluate::read_model_outputs(read_text(base, files.encoding), base),
      evaluate::read_model_outputs(read_text(files.outputs, files.encoding), files.outputs),
      files.duplicates);
  AlpacaJudgeSummary summary;
  summary.notes = decide(files, pairs);
  const prompting::PairTemplate prompt = template_of(files);
  summary.annotator = annotator_of(files, model_name(recipe.judge, recipe.judge.kind), prompt);
  const evaluate::AlpacaJudgments judgments = evaluate::judge_alpaca(
      judge.model(), pairs.asked, prompt, judge_options_of(recipe, files), progress, stop);
  judge.check_complete(judgments.complete);
  std::vector<OrderedJson> rows;
  for (std::size_t i = 0; i < pairs.rows.size(); ++i) {
    const evaluate::AlpacaJudged& judged = judgments.rows[i];
    evaluate::Annotation& row = pairs.rows[i];
    row.annotator = summary.annotator;
    row.preference = judged.preference;
    row.first_tokens = judged.first_tokens;
    row.reply = judged.reply;
    if (files.repeats > 1) row.repeats = judged.repeats;
    summary.judged += judged.preference ? 1 : 0;
    summary.asked.emplace_back(judged.row_id.empty() ? fmt::format("equal/{}", i) : judged.row_id,
                               judged.preference ? "" : judged.failure);
    rows.push_back(evaluate::to_json(row));
  }
  write_file(files.output, evaluate::json_array_text(rows));
  summary.rows = static_cast<std::int64_t>(pairs.baseline);
  summary.missing = pairs.missing.count;
  summary.equal = judgments.equal;
  summary.by_letter = judgments.by_letter;
  summary.failed = judgments.failed;
  summary.seconds = seconds_since(start);
  return summary;
}

Json to_json(const AlpacaAnswerSummary& s) {
  return {{"name", s.name},         {"rows", s.rows},
          {"answered", s.answered}, {"truncated", s.truncated},
          {"empty", s.empty},       {"failed", s.failed},
          {"usd", s.usd},           {"seconds", s.seconds}};
}

Json to_json(const AlpacaJudgeSummary& s) {
  return {{"judge", s.annotator}, {"rows", s.rows},           {"judged", s.judged},
          {"equal", s.equal},     {"by_letter", s.by_letter}, {"failed", s.failed},
          {"missing", s.missing}, {"notes", s.notes},         {"usd", s.usd},
          {"seconds", s.seconds}};
}

std::string to_text(const AlpacaAnswerSummary& s) {
  return fmt::format("{}: {} of {} instructions answered, {} cut, {} empty{}{}", s.name, s.answered,
                     s.rows, s.truncated, s.empty,
                     s.failed.empty() ? "" : "; failed: ", list_counts(s.failed));
}

std::string to_text(const AlpacaJudgeSummary& s) {
  return fmt::format("{}: {} of {} pairs judged, {} equal, {} read by letter{}{}", s.annotator,
                     s.judged, s.rows, s.equal, s.by_letter,
                     s.failed.empty() ? "" : "; failed: ", list_counts(s.failed));
}

}  // namespace tapir::pipeline
