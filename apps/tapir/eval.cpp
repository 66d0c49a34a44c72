// tapir eval: the group; each verb has a file of its own.
#include "command.h"

namespace tapir::cli {

void add_eval(CLI::App& app, Context& context) {
  CLI::App* group = app.add_subcommand("eval", "benchmarks and other measures of a model");
  group->require_subcommand(1);
  add_eval_alpaca(group, context);
  add_eval_compliance(group, context);
  add_eval_mtbench(group, context);
  add_eval_order(group, context);
}

}  // namespace tapir::cli
