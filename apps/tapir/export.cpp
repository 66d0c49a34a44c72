// tapir export data, gguf
#include "pipeline/export.h"

#include <fmt/format.h>

#include "command.h"
#include "pipeline/export_model.h"
#include "store/run_store.h"

namespace tapir::cli {
namespace {

struct DataArguments {
  std::string run;
  pipeline::ExportOptions options;
};

void add_data(CLI::App& group) {
  const auto a = std::make_shared<DataArguments>();
  CLI::App* verb = group.add_subcommand(
      "data", "the training data of a run: a data file, a data card, dataset_info.json");
  verb->add_option("run", a->run, "run folder")->required();
  verb->add_option("--format", a->options.format, "messages | alpaca")
      ->check(CLI::IsMember({"messages", "alpaca"}));
  verb->add_option("--arm", a->options.arm, "which arm's mixtures");
  verb->add_option("-o,--output", a->options.output, "folder to write")->required();
  verb->callback([a] {
    print(fmt::format("{} rows in {}", pipeline::export_data(*open_run(a->run), a->options),
                      a->options.output.string()));
  });
}

Json to_json(const pipeline::GgufJob& job, const pipeline::GgufOutcome& outcome) {
  Json answers = Json::array();
  for (const student::CheckedAnswer& answer : outcome.answers) {
    answers.push_back({{"prompt", answer.prompt},
                       {"response", answer.text},
                       {"tokens", answer.tokens},
                       {"stopped", answer.stopped}});
  }
  return {{"file", job.output.string()},
          {"architecture", outcome.file.architecture},
          {"outtype", job.options.outtype},
          {"tensors", outcome.file.tensors},
          {"bytes", outcome.file.bytes},
          {"notes", outcome.file.notes},
          {"answers", answers}};
}

struct GgufArguments {
  pipeline::GgufJob job;
  bool json = false;
};

void run_gguf(const GgufArguments& a, Context& context) {
  const auto outcome = pipeline::export_gguf_file(*student::make_student_engine(), a.job);
  for (const std::string& note : outcome.file.notes) context.progress->message("note: " + note);
  if (a.json) return print(to_json(a.job, outcome));
  print(fmt::format("{}: {} ({}), {} tensors, {:.1f} MB; {} answers stopped by themselves",
                    a.job.output.string(), outcome.file.architecture, a.job.options.outtype,
                    outcome.file.tensors, static_cast<double>(outcome.file.bytes) / 1e6,
                    outcome.answers.size()));
}

void add_gguf(CLI::App& group, Context& context) {
  const auto a = std::make_shared<GgufArguments>();
  CLI::App* verb = group.add_subcommand("gguf", "a student as one file for llama.cpp");
  verb->footer(
      "The file holds weights, tokenizer and chat template; nothing has to be converted or "
      "edited:\n"
      "  tapir export gguf --model students/final --output student.gguf --outtype q8_0\n"
      "  llama-cli -m student.gguf\n"
      "Afterwards the student is asked a few questions with tapir's own engine. An answer that "
      "does\n"
      "not stop by itself is an error (exit code 3): the file is there, but would talk without "
      "end.");
  verb->add_option("--model", a->job.model, "student folder (Hugging Face layout)")->required();
  verb->add_option("-o,--output", a->job.output, "file to write (.gguf)")->required();
  verb->add_option("--outtype", a->job.options.outtype, "f32 | f16 | bf16 | q8_0: of the matrices")
      ->check(CLI::IsMember(student::gguf_outtypes()));
  verb->add_option("--name", a->job.options.name, "general.name; default: the folder's name");
  add_stop_check(verb, a->job.check);
  verb->add_flag("--json", a->json, "the summary as JSON on standard output");
  verb->callback([a, &context] { run_gguf(*a, context); });
}

}  // namespace

void add_stop_check(CLI::App* verb, pipeline::StopCheck& check) {
  verb->add_option("--check-prompts", check.prompts,
                   "ask so many questions afterwards: each answer must stop by itself; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  verb->add_option("--check-max-new-tokens", check.max_new_tokens,
                   "an answer that is longer has not stopped")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  verb->add_option(
      "--prompts", check.file,
      "the questions: JSONL of {\"messages\"} or {\"prompt\"}; by default short everyday "
      "ones, after training the shortest of its rows");
}

void add_export(CLI::App& app, Context& context) {
  CLI::App* group =
      app.add_subcommand("export", "training data out of a run; a student for llama.cpp");
  group->require_subcommand(1);
  add_data(*group);
  add_gguf(*group, context);
}

}  // namespace tapir::cli
