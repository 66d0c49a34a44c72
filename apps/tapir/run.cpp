// tapir run, retry
#include "pipeline/run.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "command.h"
#include "pipeline/status.h"
#include "report/report.h"
#include "student/student.h"
#include "terminal_progress.h"

namespace tapir::cli {
namespace {

struct RunArguments {
  std::string recipe;
  std::string run_dir;
  std::vector<std::string> settings;  // key=value
  std::vector<std::string> set;       // --set key=value
  pipeline::RunOptions options;
  bool json = false;

  std::vector<std::string> overrides() const {
    std::vector<std::string> all = settings;
    all.insert(all.end(), set.begin(), set.end());
    return all;
  }
};

void write_report(const pipeline::Run& run, const std::filesystem::path& run_dir) {
  write_file(run_dir / "report.html", report::render_report(run.store(), {.run_dir = run_dir}));
}

// One sitting, with its report and summary.
void go(const pipeline::Recipe& recipe, pipeline::RunOptions& options, bool json,
        Context& context) {
  options.command = context.command_line;
  pipeline::Run run(recipe, options, student::make_student_engine(pipeline::student_device(recipe)),
                    *context.progress, context.stop);
  std::static_pointer_cast<TerminalProgress>(context.progress)->log_to(options.run_dir / "log.txt");
  pipeline::RunOutcome outcome;
  try {
    outcome = run.go();
  } catch (...) {
    try {
      write_report(run, options.run_dir);
    } catch (const Error&) {
      // What stopped the run (a full disk, say) is what has to be told.
    }
    throw;
  }
  write_report(run, options.run_dir);
  if (json) {
    print(pipeline::status_json(run.store(), options.run_dir));
  } else {
    print(pipeline::summary_text(run.store(), options.run_dir));
  }
  if (outcome.rows_failed > 0) {
    context.progress->message(fmt::format(
        "{0} rows failed: `tapir status {1}` says where and why, `tapir retry {1}` asks again",
        outcome.rows_failed, options.run_dir.string()));
    context.exit_code = exit_code(ErrorKind::incomplete);
  }
}

void run(RunArguments& arguments, Context& context) {
  const pipeline::Recipe recipe = pipeline::load_recipe(arguments.recipe, arguments.overrides());
  arguments.options.run_dir = run_dir_of(recipe, arguments.run_dir);
  go(recipe, arguments.options, arguments.json, context);
}

void retry(RunArguments& arguments, Context& context) {
  open_run(arguments.run_dir);  // for its words when it is none
  arguments.options.run_dir = arguments.run_dir;
  arguments.options.retry = true;
  go(pipeline::recipe_of_run(arguments.run_dir, arguments.settings), arguments.options,
     arguments.json, context);
}

void add_retry(CLI::App& app, Context& context) {
  const auto a = std::make_shared<RunArguments>();
  CLI::App* verb = app.add_subcommand(
      "retry",
      "ask again about the rows that failed for good (cut, filtered, refused, unreadable), and go\n"
      "on as far as the run had come\n"
      "  tapir status runs/my              says how many there are, and why\n"
      "  tapir retry runs/my --stage difficulty");
  verb->add_option("run", a->run_dir, "run folder")->required();
  verb->add_option("settings", a->settings, "key=value, over the run's recipe: budget.max_usd=20");
  verb->add_option("--stage", a->options.retry_stage, "of this stage only");
  verb->add_flag("--accept-changes", a->options.accept_changes,
                 "do stages again that were made from rows which come out otherwise now");
  verb->add_flag("--allow-other-machine", a->options.allow_other_machine,
                 "go on with another CPU type or torch version (bits may differ)");
  verb->add_flag("--json", a->json, "the summary as JSON on standard output");
  verb->callback([a, &context] { retry(*a, context); });
}

}  // namespace

std::filesystem::path run_dir_of(const pipeline::Recipe& recipe, const std::string& named) {
  return named.empty() ? std::filesystem::path("runs") / recipe.name : std::filesystem::path(named);
}

void add_run(CLI::App& app, Context& context) {
  const auto arguments = std::make_shared<RunArguments>();
  CLI::App* verb =
      app.add_subcommand("run", "run a recipe; the same command goes on where it stopped");
  verb->add_option("recipe", arguments->recipe, "recipe file (YAML)")->required();
  verb->add_option("settings", arguments->settings,
                   "key=value, over the recipe's own: train.learning_rate=1e-5");
  verb->add_option("--set", arguments->set, "key=value, the same")->take_all();
  verb->add_option("--run-dir", arguments->run_dir,
                   "folder of the run (default: runs/<name of the recipe>)");
  verb->add_option("--until", arguments->options.until,
                   "stop after this stage (`tapir status` names them)");
  verb->add_option("--reuse", arguments->options.reuse,
                   "take over the replies of another run: nothing is asked twice");
  verb->add_option("--student", arguments->options.student,
                   "train.backend none: the folder of a student that was trained elsewhere, for "
                   "the training\nthat the run waits for");
  verb->add_flag("--accept-changes", arguments->options.accept_changes,
                 "redo the stages that a changed key touches");
  verb->add_flag("--allow-other-machine", arguments->options.allow_other_machine,
                 "go on with another CPU type or torch version (bits may differ)");
  verb->add_flag("--json", arguments->json, "the summary as JSON on standard output");
  verb->callback([arguments, &context] { run(*arguments, context); });
  add_retry(app, context);
}

}  // namespace tapir::cli
