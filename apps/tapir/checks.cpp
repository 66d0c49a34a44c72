// tapir estimate, validate, doctor
#include "base/error.h"
#include "command.h"
#include "pipeline/doctor.h"
#include "pipeline/endpoint_checks.h"
#include "pipeline/estimate.h"

namespace tapir::cli {
namespace {

struct Arguments {
  std::string recipe;
  std::vector<std::string> settings;
  std::string model;
  std::string against;
  bool json = false;
};

void show(const std::vector<pipeline::Check>& checks, bool json, ErrorKind kind, Context& context) {
  json ? print(pipeline::checks_json(checks)) : print(pipeline::checks_text(checks));
  for (const pipeline::Check& check : checks) {
    if (!check.ok) context.exit_code = exit_code(kind);
  }
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

}  // namespace

void add_checks(CLI::App& app, Context& context) {
  const auto e = std::make_shared<Arguments>();
  CLI::App* estimate = app.add_subcommand(
      "estimate", "calls, tokens, money, time, memory and disk of a recipe; asks nobody");
  add_recipe_options(estimate, e);
  estimate->callback([e] {
    const pipeline::Recipe recipe = pipeline::load_recipe(e->recipe, e->settings);
    const auto result =
        pipeline::estimate(recipe, *student::make_student_engine(recipe.student.device));
    e->json ? print(pipeline::estimate_json(result))
            : print(pipeline::estimate_text(result) + pipeline::assumptions_text());
  });

  const auto v = std::make_shared<Arguments>();
  CLI::App* validate = app.add_subcommand(
      "validate", "is a recipe fit to run: keys, files, student, taxonomy, prompts, endpoints");
  add_recipe_options(validate, v);
  validate->callback([v, &context] {
    const pipeline::Recipe recipe = pipeline::load_recipe(v->recipe, v->settings);
    std::vector<pipeline::Check> checks =
        pipeline::validate(recipe, *student::make_student_engine(recipe.student.device));
    const std::vector<pipeline::Check> endpoints = pipeline::check_endpoints(recipe, /*ask=*/false);
    checks.insert(checks.end(), endpoints.begin(), endpoints.end());
    show(checks, v->json, ErrorKind::usage, context);
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
