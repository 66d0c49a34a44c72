// tapir status, report, inspect
#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "command.h"
#include "pipeline/status.h"
#include "report/report.h"

namespace tapir::cli {
namespace {

struct Arguments {
  std::string run;
  std::string id;
  std::string output;
  bool json = false;
};

void add_status(CLI::App& app) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand("status", "where a run stands: stages, ledger, cost, exam");
  verb->add_option("run", a->run, "run folder")->required();
  verb->add_flag("--json", a->json, "as JSON");
  verb->callback([a] {
    const Json status = pipeline::status_json(*open_run(a->run), a->run);
    a->json ? print(status) : print(pipeline::status_text(status));
  });
}

void add_report(CLI::App& app) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand("report", "write the report of a run again: one HTML file");
  verb->add_option("run", a->run, "run folder")->required();
  verb->add_option("-o,--output", a->output, "where to (default: report.html in the run folder)");
  verb->callback([a] {
    const std::filesystem::path place = a->output.empty()
                                            ? std::filesystem::path(a->run) / "report.html"
                                            : std::filesystem::path(a->output);
    write_file(place, report::render_report(*open_run(a->run), {.run_dir = a->run}));
    print(place.string());
  });
}

void add_record(CLI::App& app) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand("inspect", "one instruction with all that happened to it");
  verb->add_option("run", a->run, "run folder")->required();
  verb->add_option("id", a->id, "id of an instruction; without it: what there is to look at");
  verb->add_flag("--json", a->json, "as JSON");
  verb->callback([a] {
    const auto store = open_run(a->run);
    if (a->id.empty()) return print(pipeline::inspect_overview(*store));
    const Json record = pipeline::inspect_json(*store, a->id);
    a->json ? print(record) : print(pipeline::inspect_text(record));
  });
}

}  // namespace

std::unique_ptr<store::RunStore> open_run(const std::filesystem::path& run_dir) {
  const std::filesystem::path file = run_dir / "run.db";
  if (!std::filesystem::exists(file)) {
    throw Error(ErrorKind::data, run_dir.string() + " is no run folder: it has no run.db",
                "name the folder that `tapir run` made, by default runs/<name of the recipe>");
  }
  return store::RunStore::open(file, store::OpenMode::read_only);
}

void add_inspect(CLI::App& app, Context&) {
  add_status(app);
  add_report(app);
  add_record(app);
}

}  // namespace tapir::cli
