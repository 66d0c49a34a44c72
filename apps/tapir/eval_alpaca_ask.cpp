// tapir eval alpaca answer, judge, all
#include <fmt/format.h>

#include "base/error.h"
#include "command.h"
#include "pipeline/alpaca_ask_files.h"
#include "pipeline/alpaca_score_files.h"
#include "pipeline/recipe.h"

namespace tapir::cli {
namespace {

struct AskArguments {
  pipeline::AlpacaAnswerFiles answer;
  pipeline::AlpacaJudgeFiles judge;
  std::string data_dir;
  std::filesystem::path store;
  std::string output;
  std::string recipe;
  std::vector<std::string> settings;
  std::string model;  // folder of the candidate
  std::string duplicates = "error";
  bool no_logprobs = false;
  bool json = false;

  pipeline::Recipe read() const {
    std::vector<std::string> all = settings;
    if (!model.empty()) {
      all.emplace_back("candidate.kind=student");
      all.push_back("candidate.model=" + model);
    }
    return pipeline::load_settings(recipe, all);
  }
  // What several verbs share goes to where each is read.
  void hand_out() {
    answer.data_dir = judge.data_dir = data_dir;
    answer.store = judge.store = store;
    judge.logprobs = !no_logprobs;
    judge.duplicates = evaluate::parse_duplicates(duplicates);
  }
};

void add_common(CLI::App* verb, AskArguments& a, const std::string& output) {
  verb->add_option("--output", a.output, output)->required();
  verb->add_option("--data-dir", a.data_dir,
                   "folder with upstream's files by their names, for what is not named");
  verb->add_option("--recipe", a.recipe, "take the settings of a recipe: candidate, judge, budget");
  verb->add_option("--set", a.settings, "key=value, over the recipe's own: candidate.kind=openai")
      ->take_all();
  verb->add_flag("--json", a.json, "the summary as JSON on standard output");
}

void add_store(CLI::App* verb, AskArguments& a) {
  verb->add_option(
      "--store", a.store,
      "folder of the replies (default: <output>.tapir); the same command goes on there");
}

void add_answer_options(CLI::App* verb, AskArguments& a) {
  verb->add_option("--instructions", a.answer.instructions,
                   "the evaluation set: rows with \"instruction\"; without: the data folder's");
  verb->add_option("--model", a.model,
                   "a student's folder answers; without: who the recipe's candidate is");
  verb->add_option("--name", a.answer.name, "of the model in tables (default: candidate.model)");
}

void add_judge_options(CLI::App* verb, AskArguments& a) {
  auto& j = a.judge;
  verb->add_option("--baseline", j.baseline,
                   "outputs that the model's are compared with; without: the data folder's");
  verb->add_option(
      "--template", j.prompt,
      "the judge's prompt, in upstream's form; without: the data folder's, else one of "
      "our own, which is not the leaderboard's");
  verb->add_option("--annotator", j.annotator, "name of the judge in tables");
  verb->add_flag("--no-logprobs", a.no_logprobs, "the judge's sampled letter counts");
  verb->add_option("--repeats", j.repeats, "each pair is judged so often; the mean counts")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  verb->add_option("--max-tokens", j.max_tokens,
                   "of the judge's reply; 0: 1, without log-probabilities 16")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  verb->add_flag("--allow-missing", j.allow_missing,
                 "instructions without an output of the model are left out");
  verb->add_flag("--drop-unknown", j.drop_unknown,
                 "outputs whose instruction the baseline does not have are left out");
  verb->add_option("--duplicates", a.duplicates,
                   "several outputs on one instruction: error | first | last")
      ->check(CLI::IsMember({"error", "first", "last"}))
      ->capture_default_str();
  verb->add_option("--encoding", j.encoding, "of the outputs: latin1, utf-16")
      ->capture_default_str();
}

template <typename Summary>
void show(const Summary& summary, bool complete, const AskArguments& a, Context& context) {
  if (a.json) {
    print(to_json(summary));
  } else {
    context.progress->message(to_text(summary));
  }
  if (!complete) context.exit_code = exit_code(ErrorKind::incomplete);
}

bool is_complete(const pipeline::AlpacaJudgeSummary& s) { return s.judged == s.rows - s.missing; }

void add_answer(CLI::App* group, Context& context) {
  const auto a = std::make_shared<AskArguments>();
  CLI::App* verb = group->add_subcommand(
      "answer",
      "the model's outputs on the evaluation set\n\n"
      "  tapir eval alpaca answer --data-dir data/alpaca_eval --output model_outputs.json \\\n"
      "    --model runs/mine/students/final --set candidate.max_tokens=2048\n"
      "  tapir eval alpaca answer --data-dir data/alpaca_eval --output model_outputs.json \\\n"
      "    --set candidate.kind=openai candidate.model=my-student candidate.max_tokens=2048 \\\n"
      "      'candidate.endpoints=[{base_url: \"http://localhost:8000/v1\"}]'");
  add_common(verb, *a, "model_outputs.json, in upstream's form");
  add_store(verb, *a);
  add_answer_options(verb, *a);
  verb->callback([a, &context] {
    a->hand_out();
    a->answer.output = a->output;
    const auto s =
        pipeline::answer_alpaca_file(a->read(), a->answer, *context.progress, context.stop);
    show(s, s.answered == s.rows, *a, context);
  });
}

void add_judge(CLI::App* group, Context& context) {
  const auto a = std::make_shared<AskArguments>();
  CLI::App* verb = group->add_subcommand(
      "judge", "a judge compares a model's outputs with the baseline's, pair by pair");
  verb->add_option("--outputs", a->judge.outputs, "model_outputs.json of the evaluated model")
      ->required();
  add_common(verb, *a, "annotations.json, in upstream's form");
  add_store(verb, *a);
  add_judge_options(verb, *a);
  verb->callback([a, &context] {
    a->hand_out();
    a->judge.output = a->output;
    const auto s =
        pipeline::judge_alpaca_file(a->read(), a->judge, *context.progress, context.stop);
    for (const std::string& note : s.notes) context.progress->message(note);
    show(s, is_complete(s), *a, context);
  });
}

// Answer, judge and score into one folder.
void run_all(AskArguments& a, Context& context) {
  a.hand_out();
  const pipeline::Recipe recipe = a.read();
  const std::filesystem::path folder = a.output;
  std::filesystem::create_directories(folder);
  if (a.answer.instructions.empty() && a.data_dir.empty())
    a.answer.instructions = a.judge.baseline;  // its instructions are the set
  a.answer.output = a.judge.outputs = (folder / "model_outputs.json").string();
  a.judge.output = (folder / "annotations.json").string();
  const auto answered =
      pipeline::answer_alpaca_file(recipe, a.answer, *context.progress, context.stop);
  context.progress->message(to_text(answered));
  const auto judged = pipeline::judge_alpaca_file(recipe, a.judge, *context.progress, context.stop);
  for (const std::string& note : judged.notes) context.progress->message(note);
  context.progress->message(to_text(judged));
  pipeline::AlpacaScoreOptions scoring;
  scoring.annotations = {a.judge.output};
  scoring.data_dir = a.data_dir;
  scoring.instructions = a.data_dir.empty() ? a.judge.baseline : std::string();
  scoring.allow_missing = a.judge.allow_missing;
  scoring.output = folder.string();
  const pipeline::AlpacaScores scores = pipeline::score_alpaca(scoring);
  if (a.json) {
    Json json = pipeline::alpaca_scores_json(scores);
    json["answer"] = to_json(answered);
    json["judge"] = to_json(judged);
    print(json);
  } else {
    print(pipeline::alpaca_scores_text(scores));
  }
  if (!scores.complete || !is_complete(judged) || answered.answered < answered.rows)
    context.exit_code = exit_code(ErrorKind::incomplete);
}

void add_all(CLI::App* group, Context& context) {
  const auto a = std::make_shared<AskArguments>();
  CLI::App* verb = group->add_subcommand(
      "all", "answer, judge and score; the same command goes on where it stopped");
  add_common(verb, *a, "folder for model_outputs.json, annotations.json and leaderboard.csv");
  add_answer_options(verb, *a);
  add_judge_options(verb, *a);
  verb->callback([a, &context] { run_all(*a, context); });
}

}  // namespace

void add_eval_alpaca_asking(CLI::App* group, Context& context) {
  add_answer(group, context);
  add_judge(group, context);
  add_all(group, context);
}

}  // namespace tapir::cli
