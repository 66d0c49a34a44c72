// tapir generate, logprobs, tokenize
#include <fmt/format.h>

#include "base/error.h"
#include "command.h"
#include "pipeline/file_commands.h"

namespace tapir::cli {
namespace {

struct Arguments {
  pipeline::FileCommand files;
  student::GenerateOptions generate;
  int threads = 0;
  std::string device;
  std::string dtype;
  bool json = false;
};

void add_file_options(CLI::App* verb, const std::shared_ptr<Arguments>& a) {
  verb->add_option("--model", a->files.model, "student folder (Hugging Face layout)")->required();
  verb->add_option("--input", a->files.input, "JSONL; - is standard input")->required();
  verb->add_option("--output", a->files.output, "JSONL; - is standard output")->required();
  verb->add_flag("--json", a->json, "the summary as JSON on standard output");
}

void finish(const pipeline::FileSummary& s, const Arguments& a, Context& context) {
  if (a.json) {
    print(
        Json{{"rows", s.rows}, {"failed", s.failed}, {"tokens", s.tokens}, {"seconds", s.seconds}});
  } else {
    context.progress->message(fmt::format("{} rows, {} failed, {} tokens in {:.1f} s", s.rows,
                                          s.failed, s.tokens, s.seconds));
  }
  if (s.failed > 0) context.exit_code = exit_code(ErrorKind::incomplete);
}

void add_generate(CLI::App& app, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand("generate", "answers of a student to the rows of a file");
  add_file_options(verb, a);
  add_device_option(verb, a->device);
  add_dtype_option(verb, a->dtype);
  auto& sampling = a->generate.sampling;
  verb->add_option("--temperature", sampling.temperature, "0: greedy")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--top-p", sampling.top_p, "nucleus sampling")->check(CLI::Range(0.0, 1.0));
  verb->add_option("--top-k", sampling.top_k, "0: off")->check(CLI::NonNegativeNumber);
  verb->add_option("--max-new-tokens", sampling.max_new_tokens, "longest answer")
      ->check(CLI::PositiveNumber);
  verb->add_option("--seed", sampling.seed, "of sampling");
  verb->add_option("--slots", a->generate.slots, "rows decoded together; changes bits of results")
      ->check(CLI::PositiveNumber);
  verb->callback([a, &context] {
    finish(pipeline::generate_file(*student::make_student_engine(a->device, a->dtype), a->files,
                                   a->generate, *context.progress, context.stop),
           *a, context);
  });
}

void add_tokenize(CLI::App& app, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb =
      app.add_subcommand("tokenize", "token ids of the rows of a file; needs the tokenizer only");
  add_file_options(verb, a);
  verb->add_option("--threads", a->threads, "changes speed only; 0: one for each core")
      ->check(CLI::NonNegativeNumber);
  verb->callback(
      [a, &context] { finish(pipeline::tokenize_file(a->files, a->threads), *a, context); });
}

void add_logprobs(CLI::App& app, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand("logprobs", "log-probabilities of given answers");
  add_file_options(verb, a);
  add_device_option(verb, a->device);
  verb->callback([a, &context] {
    finish(pipeline::logprobs_file(*student::make_student_engine(a->device), a->files), *a,
           context);
  });
}

}  // namespace

void add_files(CLI::App& app, Context& context) {
  add_generate(app, context);
  add_logprobs(app, context);
  add_tokenize(app, context);
}

}  // namespace tapir::cli
