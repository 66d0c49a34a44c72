// tapir batch export, import
#include <fmt/format.h>

#include "base/error.h"
#include "command.h"
#include "pipeline/batch_files.h"
#include "store/run_store.h"

namespace tapir::cli {
namespace {

struct Arguments {
  std::string run;
  pipeline::BatchExportOptions out;
  std::vector<std::string> files;
  bool json = false;
};

// The first RUN/batch/001, 002, ... that is not there yet.
std::filesystem::path next_folder(const std::filesystem::path& run) {
  for (int number = 1;; ++number) {
    auto folder = run / "batch" / fmt::format("{:03}", number);
    if (!std::filesystem::exists(folder)) return folder;
  }
}

void export_files(Arguments& a) {
  const auto store = open_run(a.run);
  if (a.out.folder.empty()) a.out.folder = next_folder(a.run);
  const auto files = pipeline::export_batch(*store, a.out);
  Json json = Json::array();
  std::string text;
  for (const pipeline::BatchFile& file : files) {
    json.push_back({{"file", file.path.string()}, {"requests", file.requests}});
    text += fmt::format("{}  {} requests\n", file.path.string(), file.requests);
  }
  a.json ? print(Json{{"files", json}}) : print(text);
}

void import_files(const Arguments& a, Context& context) {
  open_run(a.run);  // for its words when it is none
  const store::RunLock lock(a.run);
  const auto store =
      store::RunStore::open(std::filesystem::path(a.run) / "run.db", store::OpenMode::read_write);
  const auto done = pipeline::import_batch(*store, {a.files.begin(), a.files.end()});
  a.json ? print(pipeline::import_json(done)) : print(pipeline::import_text(done));
  if (!done.all_well()) context.exit_code = exit_code(ErrorKind::incomplete);
}

}  // namespace

void add_batch(CLI::App& app, Context& context) {
  CLI::App* group = app.add_subcommand(
      "batch",
      "requests of a run as files of the Batch API (judge.mode: batch): OpenAI's, or vLLM's "
      "run_batch\n"
      "  tapir run my.yaml judge.mode=batch        ends with exit code 7: requests wait\n"
      "  tapir batch export runs/my                writes runs/my/batch/001/judge-001.jsonl\n"
      "  tapir batch import runs/my output.jsonl   takes the replies in\n"
      "  tapir run my.yaml judge.mode=batch        goes on");
  group->require_subcommand(1);
  const auto e = std::make_shared<Arguments>();
  CLI::App* out = group->add_subcommand("export", "the requests that wait, one a line");
  out->add_option("run", e->run, "run folder, or the store of a file command")->required();
  out->add_option("--stage", e->out.stage, "of this stage only");
  out->add_option("-o,--output", e->out.folder,
                  "new or empty folder (default: the next RUN/batch/001, 002, ...)");
  out->add_flag("--json", e->json, "as JSON");
  out->callback([e] { export_files(*e); });
  const auto i = std::make_shared<Arguments>();
  CLI::App* in = group->add_subcommand("import", "the replies; then the same command goes on");
  in->add_option("run", i->run, "run folder, or the store of a file command")->required();
  in->add_option("files", i->files, "output and error files of the batches; - is standard input")
      ->required();
  in->add_flag("--json", i->json, "the summary as JSON");
  in->callback([i, &context] { import_files(*i, context); });
}

}  // namespace tapir::cli
