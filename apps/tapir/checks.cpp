// tapir estimate, validate, doctor
#include <iostream>

#include <fmt/format.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strings.h"
#include "command.h"
#include "pipeline/doctor.h"
#include "pipeline/endpoint_checks.h"
#include "pipeline/estimate.h"
#include "pipeline/run.h"
#include "pipeline/timeline.h"

namespace tapir::cli {
namespace {

struct Arguments {
  std::string recipe;
  std::vector<std::string> settings;
  std::string model;
  std::string against;
  bool json = false;
};

void note_failures(const std::vector<pipeline::Check>& checks, ErrorKind kind, Context& context) {
  for (const pipeline::Check& check : checks) {
    if (!check.ok) context.exit_code = exit_code(kind);
  }
}

void show(const std::vector<pipeline::Check>& checks, bool json, ErrorKind kind, Context& context) {
  json ? print(pipeline::checks_json(checks)) : print(pipeline::checks_text(checks));
  note_failures(checks, kind, context);
}

void add_recipe_options(CLI::App* verb, const std::shared_ptr<Arguments>& a) {
  verb->add_option("recipe", a->recipe, "recipe file (YAML)")->required();
  verb->add_option("settings", a->settings, "key=value, over the recipe's own");
  verb->add_flag("--json", a->json, "as JSON");
}

void look_at_machine(const Arguments& a, Context& context) {
  std::vector<pipeline::Check> checks =
      pipeline::doctor(*student::make_student_engine(), a.model, a.against);
  ErrorKind kind = ErrorKind::data;
  if (!a.recipe.empty()) {
    const auto endpoints =
        pipeline::check_endpoints(pipeline::load_recipe(a.recipe, a.settings), /*ask=*/true);
    for (const pipeline::Check& check : endpoints) {
      if (!check.ok) kind = ErrorKind::endpoint;
    }
    checks.insert(checks.end(), endpoints.begin(), endpoints.end());
  }
  show(checks, a.json, kind, context);
}

struct EstimateArguments {
  std::shared_ptr<Arguments> common = std::make_shared<Arguments>();
  std::int64_t sample = 0;  // rows
  std::string run_dir;
  bool yes = false;
};

// A question on a terminal; scripts have to say --yes.
void ask_before_spending(const pipeline::SamplePlan& plan, const EstimateArguments& a,
                         Context& context) {
  context.progress->message(fmt::format(
      "--sample {}: {} requests to the teacher ({}), about ${:.4f} by the estimate; the run uses "
      "the replies",
      a.sample, plan.calls, join(plan.stages, ", "), plan.usd));
  if (a.yes) return;
  if (::isatty(STDIN_FILENO) == 0) {
    throw Error(ErrorKind::usage, "--sample spends money, and nobody is there to be asked",
                "add --yes");
  }
  fmt::print(stderr, "go on? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "yes")
    throw Error(ErrorKind::usage, "nothing was asked and nothing spent");
}

pipeline::Estimate sampled(const EstimateArguments& a, const pipeline::Recipe& recipe,
                           const pipeline::Estimate& before, Context& context) {
  ask_before_spending(pipeline::plan_sample(before, recipe, a.sample), a, context);
  pipeline::RunOptions options;
  options.run_dir = run_dir_of(recipe, a.run_dir);
  options.command = context.command_line;
  const auto engine = student::make_student_engine(pipeline::student_device(recipe));
  pipeline::Run run(recipe, options, engine, *context.progress, context.stop);
  const pipeline::Sample sample = run.sample(a.sample);
  context.progress->message(
      fmt::format("${:.4f} spent; the replies are in {}", sample.usd, options.run_dir.string()));
  return pipeline::estimate(recipe, *engine, sample);
}

void add_estimate(CLI::App& app, Context& context) {
  const auto a = std::make_shared<EstimateArguments>();
  CLI::App* verb = app.add_subcommand(
      "estimate",
      "calls, tokens, money, time, memory and disk of a recipe; asks nobody\n"
      "  tapir estimate my.yaml --sample 50      asks about 50 rows first, and says what it costs");
  add_recipe_options(verb, a->common);
  verb->add_option(
          "--sample", a->sample,
          "spend on so many rows first: their replies tell lengths and prices, and the run "
          "uses them")
      ->check(CLI::PositiveNumber);
  verb->add_option("--run-dir", a->run_dir,
                   "with --sample: folder of the run (default: runs/<name of the recipe>)");
  verb->add_flag("--yes", a->yes, "with --sample: do not ask before spending");
  verb->callback([a, &context] {
    const pipeline::Recipe recipe = pipeline::load_recipe(a->common->recipe, a->common->settings);
    pipeline::Estimate result =
        pipeline::estimate(recipe, *student::make_student_engine(pipeline::student_device(recipe)));
    if (a->sample > 0) result = sampled(*a, recipe, result, context);
    a->common->json ? print(pipeline::estimate_json(result))
                    : print(pipeline::estimate_text(result) + pipeline::assumptions_text());
  });
}

}  // namespace

void add_checks(CLI::App& app, Context& context) {
  add_estimate(app, context);

  const auto v = std::make_shared<Arguments>();
  CLI::App* validate = app.add_subcommand(
      "validate",
      "is a recipe fit to run: keys, files, student, taxonomy, prompts, endpoints, GPUs;\n"
      "with `resources` in it: which stage uses which GPUs, and when servers are up");
  add_recipe_options(validate, v);
  validate->callback([v, &context] {
    const pipeline::Recipe recipe = pipeline::load_recipe(v->recipe, v->settings);
    const auto engine = student::make_student_engine(pipeline::student_device(recipe));
    std::vector<pipeline::Check> checks = pipeline::validate(recipe, *engine);
    const std::vector<pipeline::Check> endpoints = pipeline::check_endpoints(recipe, /*ask=*/false);
    checks.insert(checks.end(), endpoints.begin(), endpoints.end());
    const std::vector<pipeline::PlacedStage> placed =
        pipeline::placing_of(recipe, *engine, pipeline::make_plan(recipe, pipeline::PlanFacts{}));
    if (placed.empty()) return show(checks, v->json, ErrorKind::usage, context);
    if (v->json) {
      print(Json{{"checks", pipeline::checks_json(checks)},
                 {"timeline", pipeline::timeline_json(placed)}});
      note_failures(checks, ErrorKind::usage, context);
    } else {
      show(checks, v->json, ErrorKind::usage, context);
      print("\n" + pipeline::timeline_text(placed));
    }
  });

  const auto d = std::make_shared<Arguments>();
  CLI::App* doctor =
      app.add_subcommand("doctor", "is this machine, and a student folder, fit to work with");
  doctor->footer(
      "Is a checkpoint read as transformers reads it? On a machine that has transformers:\n"
      "  python3 scripts/dump_model.py DIR dump.json\n"
      "and then, wherever the folder lies:\n"
      "  tapir doctor --model DIR --against dump.json");
  doctor->add_option("--recipe", d->recipe,
                     "ask the endpoints of this recipe's teacher and judge, a few tokens each");
  doctor->add_option("settings", d->settings, "with --recipe: key=value, over the recipe's own");
  doctor->add_option("--model", d->model, "student folder to look at");
  doctor->add_option("--against", d->against,
                     "compare it with what scripts/dump_model.py wrote: ids, template, logits");
  doctor->add_flag("--json", d->json, "as JSON");
  doctor->callback([d, &context] { look_at_machine(*d, context); });
}

}  // namespace tapir::cli
