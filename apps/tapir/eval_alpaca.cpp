// tapir eval alpaca score, validate
#include <fmt/format.h>

#include "base/error.h"
#include "command.h"
#include "pipeline/alpaca_data.h"
#include "pipeline/alpaca_score_files.h"

namespace tapir::cli {
namespace {

struct ScoreArguments {
  pipeline::AlpacaScoreOptions options;
  std::optional<double> c;
  std::string duplicates = "error";
  bool head_to_head = false;
  bool json = false;
};

void show_scores(const ScoreArguments& a, Context& context) {
  const pipeline::AlpacaScores scores = pipeline::score_alpaca(a.options);
  for (const std::string& note : scores.notes) context.progress->message(note);
  for (const std::string& name : scores.left_out)
    context.progress->message(name + ": left out, not asked for");
  Json json = pipeline::alpaca_scores_json(scores);
  std::string text = pipeline::alpaca_scores_text(scores);
  if (a.head_to_head) {
    json["head_to_head"] = pipeline::alpaca_head_to_head(scores);
    text += pipeline::alpaca_head_to_head_text(json["head_to_head"]);
  }
  a.json ? print(json) : print(text);
  if (scores.complete) return;
  context.progress->message("rows or preferences are missing; --allow-missing takes that as it is");
  context.exit_code = exit_code(ErrorKind::incomplete);
}

// Which of upstream's files are used where.
void add_set_options(CLI::App* verb, pipeline::AlpacaScoreOptions& o) {
  verb->add_option("--instructions", o.instructions,
                   "the evaluation set in its official order: rows with \"instruction\"");
  verb->add_option("--difficulty", o.difficulty, "instruction_difficulty.csv");
  verb->add_option("--regularization", o.regularization, "df_gamed.csv");
  verb->add_option("--weights", o.weights,
                   "published coefficients; then nothing is fitted for the LC win rate");
  verb->add_option("--leaderboard", o.leaderboard, "published figures to compare with");
  verb->add_option("--data-dir", o.data_dir,
                   "folder with upstream's files by their names, for what is not named above; "
                   "`tapir eval alpaca validate` says what it lacks");
}

void add_score(CLI::App* group, Context& context) {
  const auto a = std::make_shared<ScoreArguments>();
  auto& o = a->options;
  CLI::App* verb = group->add_subcommand(
      "score",
      "win rates, raw and length-controlled, of annotations that are there; asks nobody\n\n"
      "  tapir eval alpaca score --annotations annotations.json --data-dir data/alpaca_eval\n"
      "  tapir eval alpaca score --annotations a.json b.json --joint --head-to-head");
  verb->add_option("--annotations", o.annotations, "annotations.json files, as alpaca_eval writes")
      ->required();
  add_set_options(verb, o);
  verb->add_option("--c", a->c, "strength of the LC fit; without: chosen by cross-validation")
      ->check(CLI::PositiveNumber);
  verb->add_flag("--joint", o.joint,
                 "difficulty of each instruction from the models given: for a set of your own");
  verb->add_option("--baseline", o.baseline, "LC win rates against this model instead");
  verb->add_option("--model", o.models, "only these models of the files");
  verb->add_flag("--head-to-head", a->head_to_head,
                 "LC win rate of every model against every other");
  verb->add_flag("--recompute", o.recompute, "preferences from the recorded replies of the judge");
  verb->add_flag("--allow-missing", o.allow_missing,
                 "exit 0 although instructions or preferences are missing");
  verb->add_flag("--drop-unknown", o.drop_unknown,
                 "leave out rows whose instruction is not in the set");
  verb->add_option("--duplicates", a->duplicates,
                   "several rows of a model on one instruction: error | first | last | average")
      ->check(CLI::IsMember({"error", "first", "last", "average"}))
      ->capture_default_str();
  verb->add_option("--encoding", o.encoding, "of the annotations and instructions: latin1, utf-16")
      ->capture_default_str();
  verb->add_option("--output", o.output,
                   "folder for leaderboard.csv, weights.csv and annotations.json");
  verb->add_flag("--json", a->json, "as JSON on standard output");
  verb->callback([a, &context] {
    a->options.c = a->c;
    a->options.duplicates = evaluate::parse_duplicates(a->duplicates);
    show_scores(*a, context);
  });
}

void add_validate(CLI::App* group, Context& context) {
  struct Arguments {
    std::string data_dir;
    bool json = false;
  };
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = group->add_subcommand(
      "validate", "which of upstream's files a folder has, and where upstream keeps the others");
  verb->add_option("--data-dir", a->data_dir, "the folder")->required();
  verb->add_flag("--json", a->json, "as JSON on standard output");
  verb->callback([a, &context] {
    const auto checks = pipeline::check_alpaca_files(a->data_dir);
    a->json ? print(pipeline::alpaca_checks_json(checks))
            : print(pipeline::alpaca_checks_text(checks));
    for (const pipeline::AlpacaFileCheck& check : checks) {
      if (!check.ok) context.exit_code = exit_code(ErrorKind::data);
    }
  });
}

}  // namespace

void add_eval_alpaca(CLI::App* group, Context& context) {
  CLI::App* alpaca = group->add_subcommand(
      "alpaca", "AlpacaEval 2.0: a judge compares a model's answers with a baseline's");
  alpaca->require_subcommand(1);
  add_eval_alpaca_asking(alpaca, context);
  add_score(alpaca, context);
  add_validate(alpaca, context);
}

}  // namespace tapir::cli
