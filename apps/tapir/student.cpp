// tapir student new
#include <fmt/format.h>

#include "command.h"
#include "student/student_from_config.h"

namespace tapir::cli {
namespace {

struct Arguments {
  student::StudentFromConfig wanted;
  std::string output;
  std::string torch_dtype;
  bool json = false;
};

void run_new(Arguments& a) {
  a.wanted.torch_dtype = student::parse_storage_type(a.torch_dtype);
  const auto made = student::make_student_from_config(a.wanted, a.output);
  const std::string dtype(to_string(made.config.torch_dtype));
  if (a.json) {
    print(Json{{"architecture", made.config.architecture},
               {"parameters", made.parameters},
               {"torch_dtype", dtype},
               {"files", made.files}});
    return;
  }
  print(fmt::format("{}: {} with {} parameters in {}, {} file{} of weights", a.output,
                    made.config.architecture, made.parameters, dtype, made.files,
                    made.files == 1 ? "" : "s"));
}

void add_new(CLI::App& app) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb =
      app.add_subcommand("new", "a fresh student from a config.json, initialised as transformers");
  verb->add_option("--config", a->wanted.config, "config.json of a supported family")->required();
  verb->add_option("--output", a->output, "folder to make; an older one is replaced")->required();
  verb->add_option("--tokenizer", a->wanted.tokenizer, "folder whose tokenizer files are copied");
  verb->add_option("--seed", a->wanted.seed, "of the weights");
  verb->add_option("--torch-dtype", a->torch_dtype,
                   "how weights are stored; default: as config says")
      ->check(CLI::IsMember({"float32", "bfloat16", "float16"}));
  verb->add_option("--max-shard-size", a->wanted.max_shard_size,
                   "largest file of weights: 5GB, 200MB, bytes; 0: one file")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true))
      ->capture_default_str();
  verb->add_flag("--json", a->json, "the summary as JSON on standard output");
  verb->footer(
      "tapir student new --config Qwen2.5-1.5B/config.json --tokenizer Qwen2.5-1.5B "
      "--output fresh");
  verb->callback([a] { run_new(*a); });
}

}  // namespace

void add_student(CLI::App& app, Context&) {
  CLI::App* verb = app.add_subcommand("student", "student folders");
  verb->require_subcommand(1);
  add_new(*verb);
}

}  // namespace tapir::cli
