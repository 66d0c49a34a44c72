#include <exception>

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "command.h"
#include "signals.h"
#include "terminal_progress.h"

namespace tapir::cli {

void print(const Json& value) {
  fmt::print("{}\n", value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void print(const std::string& text) { fmt::print("{}{}", text, text.ends_with('\n') ? "" : "\n"); }

namespace {

int run_program(int argc, char** argv) {
  CLI::App app{
      "tapir distils a strong teacher model into a small student: it finds the instructions the "
      "student fails at,\n"
      "balances the task types, lets the teacher expand and refine them, trains over rounds, and "
      "measures.\n\n"
      "  tapir run recipes/quickstart.yaml      the whole method on a tiny real student, no key "
      "and no GPU needed\n"
      "  tapir status runs/quickstart           where a run stands\n",
      "tapir"};
  app.require_subcommand(1);
  app.fallthrough(false);
  app.set_version_flag("--version", TAPIR_VERSION);
  app.footer(
      "Exit codes: 0 done; 2 usage or recipe; 3 data; 4 endpoint; 5 budget reached; 6 rows "
      "failed;\n"
      "7 waiting for a batch; 130 interrupted (state is saved); 1 a bug of tapir's.");
  Context context;
  context.progress = std::make_shared<TerminalProgress>();
  context.stop = stop_on_signals();
  context.command_line = join(std::vector<std::string>(argv, argv + argc), " ");
  context.arguments.assign(argv + 1, argv + argc);
  add_run(app, context);
  add_batch(app, context);
  add_inspect(app, context);
  add_data(app, context);
  add_export(app, context);
  add_train(app, context);
  add_files(app, context);
  add_tokenizer(app, context);
  add_merge(app, context);
  add_serve(app, context);
  add_chat(app, context);
  add_judge(app, context);
  add_stages(app, context);
  add_eval(app, context);
  add_gym(app, context);
  add_checks(app, context);
  add_student(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : exit_code(ErrorKind::usage);
  }
  return context.exit_code;
}

}  // namespace
}  // namespace tapir::cli

int main(int argc, char** argv) {
  try {
    return tapir::cli::run_program(argc, argv);
  } catch (const tapir::Error& e) {
    fmt::print(stderr, "tapir: {}\n", e.what());
    if (!e.hint().empty()) fmt::print(stderr, "  -> {}\n", e.hint());
    return tapir::exit_code(e.kind());
  } catch (const std::bad_alloc&) {
    fmt::print(stderr,
               "tapir: out of memory\n  -> `tapir estimate` says how much a recipe needs\n");
    return 1;
  } catch (const std::exception& e) {
    fmt::print(stderr,
               "tapir: {}\n  -> this is a bug of tapir's; please report it with the command\n",
               e.what());
    return 1;
  }
}
