// tapir judge, judge read, judge orders
#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "command.h"
#include "pipeline/judge_figures.h"
#include "pipeline/judge_file.h"
#include "pipeline/judge_read.h"
#include "pipeline/recipe.h"
#include "pipeline/rubric_rows.h"

namespace tapir::cli {
namespace {

struct ReadArguments {
  std::string form;
  std::vector<std::string> inputs;
  std::string output = "-";
  bool json = false;
};

void add_read(CLI::App* group, Context& context) {
  const auto a = std::make_shared<ReadArguments>();
  CLI::App* verb = group->add_subcommand("read", "scores of recorded judgments; asks nobody");
  verb->add_option("--form", a->form,
                   "pair: two scores | rating: Rating: [[x]] | mtbench: [[x]], then [x] | "
                   "choice: [[A]], [[B]], [[C]] | letter: m or M")
      ->required()
      ->check(CLI::IsMember(pipeline::judgment_forms()));
  verb->add_option("files,--input", a->inputs,
                   "JSONL, rows {\"id\", \"text\"}; - is standard input")
      ->required();
  verb->add_option("--output", a->output, "JSONL; - is standard output (default)");
  verb->add_flag("--json", a->json, "the summary as JSON on standard output");
  verb->callback([a, &context] {
    const pipeline::ReadSummary s =
        read_judgments(pipeline::parse_judgment_form(a->form), a->inputs, a->output);
    const std::int64_t failed = s.rows - s.read;
    if (a->json) {
      print(Json{{"rows", s.rows}, {"read", s.read}, {"failed", s.failed}});
    } else {
      context.progress->message(fmt::format("{} judgments, {} read{}{}", s.rows, s.read,
                                            failed > 0 ? "; " : "", list_counts(s.failed)));
    }
    if (failed > 0) context.exit_code = exit_code(ErrorKind::incomplete);
  });
}

void add_orders(CLI::App* group) {
  struct Arguments {
    pipeline::JudgeOrdersOptions options;
    bool json = false;
  };
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = group->add_subcommand(
      "orders", "what adaptive orders would have saved on pairs judged in both; asks nobody");
  verb->add_option("file,--input", a->options.input,
                   "JSONL, rows {\"id\", \"teacher_first\": [teacher, student], "
                   "\"student_first\": [...]}; - is standard input")
      ->required();
  verb->add_option("--threshold", a->options.thresholds, "of the gap; several times for several")
      ->take_all();
  verb->add_option("--pilot-rows", a->options.pilot_rows, "judged in both orders to set the band")
      ->check(CLI::PositiveNumber);
  verb->add_option("--max-flip-rate", a->options.max_flip_rate, "share of decisions that may flip")
      ->check(CLI::Range(0.0, 1.0));
  verb->add_flag("--hindsight", a->options.hindsight,
                 "no pilot: the band that all pairs together would set");
  verb->add_option("--draws", a->options.seeds, "means over so many draws of pilot and orders")
      ->check(CLI::PositiveNumber);
  verb->add_option("--seed", a->options.seed, "of the first draw");
  verb->add_flag("--json", a->json, "as JSON on standard output");
  verb->callback([a] {
    const Json orders = pipeline::judge_orders(a->options);
    a->json ? print(orders) : print(pipeline::judge_orders_text(orders));
  });
}

struct JudgeArguments {
  pipeline::JudgeFileOptions options;
  std::string recipe;
  std::vector<std::string> settings;
  bool json = false;
};

void judge(const JudgeArguments& a, Context& context) {
  if (a.options.files.input.empty() || a.options.files.output.empty()) {
    throw Error(ErrorKind::usage, "tapir judge needs --input FILE and --output FILE",
                "or one of its verbs: read, orders; `tapir judge --help`");
  }
  const pipeline::Recipe recipe = pipeline::load_settings(a.recipe, a.settings);
  const pipeline::JudgeFileSummary s =
      pipeline::judge_file(recipe, a.options, *context.progress, context.stop);
  if (a.json) {
    print(Json{{"rows", s.rows},
               {"judged", s.judged},
               {"hard", s.hard},
               {"failed", s.failed},
               {"usd", s.usd},
               {"seconds", s.seconds},
               {"judge", s.judge},
               {"components", s.components}});
  } else {
    context.progress->message(fmt::format("{} rows, {} judged, {} hard (gap above {:g}){}{}",
                                          s.rows, s.judged, s.hard, recipe.difficulty.threshold,
                                          s.failed.empty() ? "" : "; ", list_counts(s.failed)));
    context.progress->message(std::string(trim(pipeline::judge_figures_text(s.judge))));
    if (!s.components.is_null())
      context.progress->message(pipeline::component_figures_text(s.components));
  }
  if (s.judged < s.rows) context.exit_code = exit_code(ErrorKind::incomplete);
}

}  // namespace

void add_judge(CLI::App& app, Context& context) {
  const auto a = std::make_shared<JudgeArguments>();
  CLI::App* group = app.add_subcommand(
      "judge", "scores of the teacher's and the student's answer to each row of a file");
  group->require_subcommand(0, 1);
  group->add_option("--input", a->options.files.input,
                    "JSONL, instruction rows with \"response\"; - is standard input");
  group->add_option("--output", a->options.files.output, "JSONL; - is standard output");
  group->add_option("--student", a->options.student,
                    "the student's answers as `tapir generate` writes them; without: the rows' "
                    "\"student_response\"");
  group->add_option("--recipe", a->recipe,
                    "take the settings of a recipe: judge, difficulty, budget");
  group->add_option("--set", a->settings, "key=value, over the recipe's own: judge.kind=overlap")
      ->take_all();
  group->add_option(
      "--store", a->options.files.store,
      "folder of the replies (default: <output>.tapir); the same command goes on there");
  group->add_flag("--retry", a->options.files.retry,
                  "ask again about the rows that failed for good in the last sitting");
  group->add_flag("--json", a->json, "the summary as JSON on standard output");
  add_read(group, context);
  add_orders(group);
  group->callback([a, group, &context] {
    if (group->get_subcommands().empty()) judge(*a, context);
  });
}

}  // namespace tapir::cli
