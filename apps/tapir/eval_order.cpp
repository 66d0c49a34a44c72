// tapir eval order
#include "command.h"
#include "pipeline/order_trial.h"
#include "pipeline/run.h"
#include "store/run_store.h"
#include "student/student.h"

namespace tapir::cli {
namespace {

struct Arguments {
  std::string run;
  pipeline::OrderOptions options;
  bool json = false;
};

void compare_orders(Arguments& a, Context& context) {
  open_run(a.run);  // for its words when it is none
  a.options.run_dir = a.run;
  const pipeline::Recipe recipe = pipeline::recipe_of_run(a.run, {});
  const auto engine = student::make_student_engine(pipeline::student_device(recipe));
  const pipeline::OrderTrial trial =
      pipeline::try_orders(recipe, a.options, *engine, *context.progress, context.stop);
  a.json ? print(pipeline::order_json(trial)) : print(pipeline::order_text(trial));
}

}  // namespace

void add_eval_order(CLI::App* group, Context& context) {
  const auto a = std::make_shared<Arguments>();
  auto& o = a->options;
  CLI::App* verb = group->add_subcommand(
      "order",
      "does the order of a round's rows matter? The round is trained again on the same rows in\n"
      "other orders, and each student sits the exam; asks nobody. Goes on where it stopped\n\n"
      "  tapir eval order runs/my\n"
      "  tapir eval order runs/my --arm plain --round 1 --orders 6\n");
  verb->add_option("run", a->run, "run folder, as far as the exam of that round")->required();
  verb->add_option("--arm", o.arm, "of this arm")->capture_default_str();
  verb->add_option("--round", o.round, "this round (default: the last)")
      ->check(CLI::PositiveNumber);
  verb->add_option("--orders", o.orders,
                   "how many, the run's own among them: one less is trained; more can be asked for "
                   "later")
      ->capture_default_str();
  verb->add_option("--seed", o.seed, "of the other orders")->capture_default_str();
  verb->add_option("--output", o.output,
                   "folder of the students and results (default: RUN/orders/<arm>-round-<r>)");
  verb->add_flag("--allow-other-machine", o.allow_other_machine,
                 "compare although CPU type, device or torch version differ too");
  verb->add_flag("--json", a->json, "the figures as JSON on standard output");
  verb->callback([a, &context] { compare_orders(*a, context); });
}

}  // namespace tapir::cli
