// tapir eval mtbench answer, judge, score, all
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "command.h"
#include "pipeline/mt_bench_files.h"
#include "pipeline/mt_bench_score.h"
#include "pipeline/recipe.h"

namespace tapir::cli {
namespace {

// What asks somebody: settings, and where the files are.
struct Asking {
  std::string recipe;
  std::vector<std::string> settings;
  std::string student;  // folder of the candidate; empty: as the settings say
  pipeline::MtFiles files;

  pipeline::Recipe read() const {
    pipeline::Recipe made = pipeline::load_settings(recipe, settings);
    if (student.empty()) return made;
    made.candidate.kind = "student";
    made.candidate.model = std::filesystem::absolute(student).string();
    return made;
  }
};

struct Arguments {
  Asking asking;
  pipeline::MtAnswerFileOptions answer;
  pipeline::MtJudgeFileOptions judge;
  pipeline::MtScoreOptions score;
  bool allow_missing = false;
  bool json = false;
};

void add_json(CLI::App* verb, Arguments& a) {
  verb->add_flag("--json", a.json, "the summary as JSON on standard output");
}

void add_allow_missing(CLI::App* verb, Arguments& a) {
  verb->add_flag("--allow-missing", a.allow_missing,
                 "questions without an answer or judgment do not make the exit code 6");
}

void add_asking(CLI::App* verb, Arguments& a) {
  verb->add_option("--data-dir", a.asking.files.data_dir,
                   "folder laid out as FastChat's data/mt_bench: question.jsonl, "
                   "reference_answer/, model_answer/, model_judgment/")
      ->capture_default_str();
  verb->add_option("--questions", a.asking.files.questions,
                   "question.jsonl of another place or set");
  verb->add_option("--recipe", a.asking.recipe, "take the settings of a recipe");
  verb->add_option("--set", a.asking.settings,
                   "key=value, over the recipe's own: judge.kind=openai judge.model=gpt-4")
      ->take_all();
}

void add_store(CLI::App* verb, Arguments& a) {
  verb->add_option("--store", a.asking.files.store,
                   "folder of the replies (default: <output>.tapir); the same command goes on "
                   "there");
  verb->add_option("--output", a.asking.files.output, "the file to write, at another place");
}

void add_answer_options(CLI::App* verb, Arguments& a) {
  verb->add_option("--model", a.asking.student,
                   "student folder that answers (without: the role candidate of the settings)");
  verb->add_option("--model-id", a.answer.model_id,
                   "name of the model in the files (default: its own)");
  verb->add_option("--max-new-tokens", a.answer.max_tokens, "longest answer")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  verb->add_option("--temperature", a.answer.temperature,
                   "of all answers (default: by category: writing, roleplay 0.7; stem, humanities "
                   "0.1; the rest 0)")
      ->check(CLI::NonNegativeNumber);
  verb->add_flag("--overwrite", a.answer.overwrite,
                 "replace an answer file that this command did not write");
}

void add_judge_options(CLI::App* verb, Arguments& a) {
  verb->add_option("--references", a.judge.references,
                   "for math, reasoning and coding: official (13 of the 30 are known to be wrong) "
                   "| questions (those of question.jsonl) | none | a file")
      ->capture_default_str();
  verb->add_option("--judge-prompts", a.judge.judge_prompts,
                   "FastChat's judge_prompts.jsonl (without: our own words)");
  verb->add_option("--repeats", a.judge.repeats, "judge every answer so often")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  verb->add_option("--max-attempts", a.judge.max_attempts,
                   "requests while no rating can be read; FastChat asks once")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  verb->add_option("--judge-temperature", a.judge.temperature, "of the judge")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  verb->add_option("--judge-max-tokens", a.judge.max_tokens, "longest judgment")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  verb->add_option("--answer-duplicates", a.judge.duplicates,
                   "two answers of a model to one question: error | first | last")
      ->check(CLI::IsMember({"error", "first", "last"}))
      ->capture_default_str();
}

void add_pair_options(CLI::App* verb, Arguments& a) {
  verb->add_option("--models", a.judge.models,
                   "names of answer files (default: all of model_answer/)");
  verb->add_option("--mode", a.judge.mode,
                   "single: each answer rated 1 to 10 | pair: two models' answers compared, in "
                   "both orders")
      ->check(CLI::IsMember({"single", "pair"}))
      ->capture_default_str();
  verb->add_option("--baseline", a.judge.baseline,
                   "pair: compare all others with this model (without: each with each)");
}

void add_score_options(CLI::App* verb, Arguments& a) {
  verb->add_option("--duplicates", a.score.duplicates,
                   "judgments of the same turn of the same answer: error | first | last | average "
                   "(all count, as in FastChat)")
      ->check(CLI::IsMember({"error", "first", "last", "average"}))
      ->capture_default_str();
  verb->add_option("--other-questions", a.score.other_questions,
                   "judgments of questions that are not in the set: error | leave_out")
      ->check(CLI::IsMember({"error", "leave_out"}))
      ->capture_default_str();
  verb->add_option("--scores", a.score.scores,
                   "recorded: as the files say | text: read again from the judge's words")
      ->check(CLI::IsMember({"recorded", "text"}))
      ->capture_default_str();
  verb->add_option("--baseline", a.score.baseline,
                   "compare every other model with this one, question by question");
  verb->add_option("--margin", a.score.margin,
                   "points within which a model counts as equal to the baseline; 0: not tested")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

std::string cost(double usd) { return usd > 0 ? fmt::format("; ${:.2f}", usd) : ""; }

void fail(Context& context) { context.exit_code = exit_code(ErrorKind::incomplete); }

Json answer(Arguments& a, Context& context) {
  a.answer.files = a.asking.files;
  const auto s = answer_mt_bench_files(a.asking.read(), a.answer, *context.progress, context.stop);
  context.progress->message(
      fmt::format("{}: {} of {} questions answered{}{}{}", s.output, s.answered, s.questions,
                  s.truncated > 0 ? fmt::format(", {} cut at the limit", s.truncated) : "",
                  s.failed.empty() ? "" : "; failed: " + list_counts(s.failed), cost(s.usd)));
  if (s.answered < s.questions && !a.allow_missing) fail(context);
  return to_json(s);
}

pipeline::MtJudgeFileSummary judge(Arguments& a, Context& context) {
  a.judge.files = a.asking.files;
  auto s = judge_mt_bench_files(a.asking.read(), a.judge, *context.progress, context.stop);
  context.progress->message(fmt::format("{}: {} judgments{}{}{}", s.output, s.judgments,
                                        s.failed.empty() ? "" : "; failed: ", list_counts(s.failed),
                                        cost(s.usd)));
  if (s.unanswered > 0) {
    context.progress->message(
        fmt::format("{} questions have no answer and were not judged", s.unanswered));
  }
  if (!s.wrong_references.empty()) {
    context.progress->message(
        fmt::format("{} references of the set {} are known to be wrong; their judgments say so",
                    s.wrong_references.size(), s.reference_set));
  }
  if (!s.lacking_references.empty() && s.reference_set != "none") {
    context.progress->message(
        fmt::format("{} questions of math, reasoning or coding have no reference in the set {} and "
                    "were judged without",
                    s.lacking_references.size(), s.reference_set));
  }
  if (!s.failed.empty() || (s.unanswered > 0 && !a.allow_missing)) fail(context);
  return s;
}

Json score(const Arguments& a, Context& context) {
  const pipeline::MtScoreReport report = score_mt_bench_files(a.score);
  if (!a.json) print(report.text);
  for (const std::string& note : report.notes) context.progress->message(note);
  if (report.failed > 0 || (report.missing > 0 && !a.allow_missing)) fail(context);
  return report.json;
}

void add_answer(CLI::App* group, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = group->add_subcommand(
      "answer",
      "a model answers the questions: model_answer/<model>.jsonl, as FastChat writes it\n\n"
      "  tapir eval mtbench answer --model runs/mine/students/final\n"
      "  tapir eval mtbench answer --set candidate.kind=openai candidate.model=my-model \\\n"
      "    'candidate.endpoints=[{base_url: \"http://localhost:8000/v1\"}]'");
  add_asking(verb, *a);
  add_answer_options(verb, *a);
  add_store(verb, *a);
  add_allow_missing(verb, *a);
  add_json(verb, *a);
  verb->callback([a, &context] {
    const Json summary = answer(*a, context);
    if (a->json) print(summary);
  });
}

void add_judge_verb(CLI::App* group, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = group->add_subcommand(
      "judge",
      "a judge rates the answers, or compares them in pairs: model_judgment/, as FastChat writes "
      "it\n\n"
      "  tapir eval mtbench judge --models my-model --recipe judge.yaml");
  add_asking(verb, *a);
  add_pair_options(verb, *a);
  add_judge_options(verb, *a);
  add_store(verb, *a);
  add_allow_missing(verb, *a);
  add_json(verb, *a);
  verb->callback([a, &context] {
    const auto summary = judge(*a, context);
    if (a->json) print(to_json(summary));
  });
}

void add_score(CLI::App* group, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = group->add_subcommand(
      "score",
      "means by turn and category of judgments in FastChat's files; asks nobody\n\n"
      "  tapir eval mtbench score --judgments model_judgment/gpt-4_single.jsonl --baseline vicuna");
  verb->add_option("--judgments,files", a->score.judgments,
                   "model_judgment/*_single.jsonl and *_pair.jsonl, maybe .gz")
      ->required();
  verb->add_option("--questions", a->score.questions,
                   "question.jsonl of another set (default: MT-Bench's own ids and categories)");
  add_score_options(verb, *a);
  add_allow_missing(verb, *a);
  add_json(verb, *a);
  verb->callback([a, &context] {
    const Json report = score(*a, context);
    if (a->json) print(report);
  });
}

void add_all(CLI::App* group, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = group->add_subcommand(
      "all", "answer, judge by single grading, score; the same command goes on where it stopped");
  add_asking(verb, *a);
  add_answer_options(verb, *a);
  add_judge_options(verb, *a);
  add_score_options(verb, *a);
  add_allow_missing(verb, *a);
  add_json(verb, *a);
  verb->callback([a, &context] {
    const Json answered = answer(*a, context);
    a->judge.models = {answered["model"].get<std::string>()};
    const auto judged = judge(*a, context);
    a->score.judgments = {judged.output};
    a->score.questions = a->asking.files.questions.empty()
                             ? (a->asking.files.data_dir / "question.jsonl").string()
                             : a->asking.files.questions;
    const Json scored = score(*a, context);
    if (a->json) print(Json{{"answer", answered}, {"judge", to_json(judged)}, {"score", scored}});
  });
}

}  // namespace

void add_eval_mtbench(CLI::App* group, Context& context) {
  CLI::App* verbs =
      group->add_subcommand("mtbench", "MT-Bench: questions of two turns, graded by a judge");
  verbs->require_subcommand(1);
  add_answer(verbs, context);
  add_judge_verb(verbs, context);
  add_score(verbs, context);
  add_all(verbs, context);
}

}  // namespace tapir::cli
