// tapir classify, balance, select, expand, refine: one stage of the method on a file
#include <fmt/format.h>

#include "base/error.h"
#include "command.h"
#include "pipeline/recipe.h"
#include "pipeline/task_files.h"
#include "pipeline/teach_files.h"

namespace tapir::cli {
namespace {

struct Common {
  pipeline::StageFiles files;
  std::string recipe;
  std::vector<std::string> settings;
  bool json = false;

  pipeline::Recipe read() const { return pipeline::load_settings(recipe, settings); }
};

// asks: does the verb ask a model, so that replies have to be kept?
void add_common(CLI::App* verb, Common& c, bool asks) {
  verb->add_option("--input", c.files.input, "JSONL of instruction rows; - is standard input")
      ->required();
  verb->add_option("--output", c.files.output, "JSONL; - is standard output")->required();
  verb->add_option("--recipe", c.recipe, "take the settings of a recipe");
  verb->add_option("--set", c.settings, "key=value, over the recipe's own: tasks.taxonomy=my.yaml")
      ->take_all();
  if (asks) {
    verb->add_option(
        "--store", c.files.store,
        "folder of the replies (default: <output>.tapir); the same command goes on there");
    verb->add_flag("--retry", c.files.retry,
                   "ask again about the rows that failed for good in the last sitting");
  }
  verb->add_flag("--json", c.json, "the summary as JSON on standard output");
}

template <typename Counts>
std::string listed(const Counts& counts) {
  std::string text;
  for (const auto& [name, count] : counts)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, count);
  return text;
}

void add_classify(CLI::App& app, Context& context) {
  struct Arguments {
    Common common;
    pipeline::ClassifyOptions options;
  };
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand(
      "classify",
      "the task of every row of a file, with the confidence\n\n"
      "  tapir classify --labelled labelled.jsonl --input rows.jsonl --output with_tasks.jsonl\n"
      "  tapir classify --set tasks.classifier=llm --recipe my.yaml --input rows.jsonl \\\n"
      "    --output with_tasks.jsonl");
  add_common(verb, a->common, /*asks=*/true);
  verb->add_option("--labelled", a->options.labelled,
                   "rows with \"task\" to learn from; then nobody is asked");
  verb->add_option("--held-out", a->options.held_out,
                   "share of the labelled rows to measure on; 0: not measured")
      ->check(CLI::Range(0.0, 0.9))
      ->capture_default_str();
  verb->callback([a, &context] {
    a->options.files = a->common.files;
    const auto s =
        pipeline::classify_file(a->common.read(), a->options, *context.progress, context.stop);
    if (a->common.json) {
      return print(Json{{"rows", s.rows}, {"tasks", s.tasks}, {"info", s.info}, {"usd", s.usd}});
    }
    context.progress->message(fmt::format("{} rows: {}", s.rows, listed(s.tasks)));
    if (!s.info.contains("agreement")) return;
    const Json& agreement = s.info["agreement"];
    context.progress->message(fmt::format(
        "on {} held-out rows: {:.1f} % as labelled, calibration error {:.3f}",
        agreement["rows"].get<std::int64_t>(), 100 * agreement["accuracy"].get<double>(),
        agreement["expected_calibration_error"].get<double>()));
  });
}

void add_balance(CLI::App& app, Context& context) {
  struct Arguments {
    Common common;
    std::int64_t rows = 0;
  };
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand(
      "balance", "of each task at most its share; says what the others lack; asks nobody");
  add_common(verb, a->common, /*asks=*/false);
  verb->add_option("--rows", a->rows, "rows of the whole set; 0: as many as the input has")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  verb->callback([a, &context] {
    const auto s = pipeline::balance_file(a->common.read(), a->common.files, a->rows);
    if (a->common.json) {
      Json tasks = Json::object();
      for (const auto& [task, count] : s.tasks) {
        tasks[task] = {
            {"available", count.available}, {"target", count.target}, {"missing", count.missing()}};
      }
      return print(Json{{"rows", s.rows}, {"kept", s.kept}, {"tasks", tasks}});
    }
    std::map<std::string, std::int64_t> missing;
    for (const auto& [task, count] : s.tasks) {
      if (count.missing() > 0) missing[task] = count.missing();
    }
    context.progress->message(fmt::format("{} of {} rows kept; missing: {}", s.kept, s.rows,
                                          missing.empty() ? "none" : listed(missing)));
  });
}

void add_select(CLI::App& app, Context& context) {
  struct Arguments {
    Common common;
    bool hard_only = false;
  };
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb =
      app.add_subcommand("select", "which judged rows are hard for the student; asks nobody");
  add_common(verb, a->common, /*asks=*/false);
  verb->add_flag("--hard-only", a->hard_only, "write the hard rows alone");
  verb->callback([a, &context] {
    const auto s = pipeline::select_file(a->common.read(), a->common.files, a->hard_only);
    if (a->common.json)
      return print(Json{{"rows", s.rows}, {"hard", s.hard}, {"unjudged", s.unjudged}});
    context.progress->message(
        fmt::format("{} rows, {} hard, {} not judged", s.rows, s.hard, s.unjudged));
  });
}

void finish(const pipeline::TeachFileSummary& s, bool json, Context& context) {
  if (json) {
    print(Json{{"rows", s.rows},
               {"asked", s.ledger.in},
               {"failed", s.ledger.failed},
               {"filtered", s.ledger.filtered},
               {"missing", s.missing},
               {"usd", s.usd}});
  } else {
    context.progress->message(fmt::format("{} rows of {} asked for", s.rows, s.ledger.in));
    if (!s.ledger.filtered.empty())
      context.progress->message("refused: " + listed(s.ledger.filtered));
    if (!s.ledger.failed.empty()) context.progress->message("failed: " + listed(s.ledger.failed));
    if (!s.missing.empty()) context.progress->message("still missing: " + listed(s.missing));
  }
}

void add_expand(CLI::App& app, Context& context) {
  struct Arguments {
    Common common;
    pipeline::ExpandFileOptions options;
  };
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand(
      "expand", "new instructions by the teacher, of the tasks that a set lacks");
  add_common(verb, a->common, /*asks=*/true);
  verb->add_option("--rows", a->options.rows, "that the input and the new rows have together")
      ->required()
      ->check(CLI::PositiveNumber);
  verb->add_option("--known", a->options.known,
                   "files of more instructions that new ones must not be like");
  verb->add_option("--round", a->options.round, "enters the ids of the new rows")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  verb->callback([a, &context] {
    a->options.files = a->common.files;
    const auto s =
        pipeline::expand_file(a->common.read(), a->options, *context.progress, context.stop);
    finish(s, a->common.json, context);
    if (!s.missing.empty()) context.exit_code = exit_code(ErrorKind::incomplete);
  });
}

void add_refine(CLI::App& app, Context& context) {
  const auto a = std::make_shared<Common>();
  CLI::App* verb =
      app.add_subcommand("refine", "every row answered by the teacher in the style of its task");
  add_common(verb, *a, /*asks=*/true);
  verb->callback([a, &context] {
    const auto s = pipeline::refine_file(a->read(), a->files, *context.progress, context.stop);
    finish(s, a->json, context);
    if (s.ledger.failed_total() > 0) context.exit_code = exit_code(ErrorKind::incomplete);
  });
}

}  // namespace

void add_stages(CLI::App& app, Context& context) {
  add_classify(app, context);
  add_balance(app, context);
  add_select(app, context);
  add_expand(app, context);
  add_refine(app, context);
}

}  // namespace tapir::cli
