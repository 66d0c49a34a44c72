// tapir eval compliance
#include <fmt/format.h>

#include "base/error.h"
#include "command.h"
#include "pipeline/compliance_file.h"

namespace tapir::cli {
namespace {

struct Arguments {
  pipeline::ComplianceOptions options;
  std::string duplicates = "error";
  std::string prompts;  // where to write them
  bool allow_missing = false;
  bool json = false;
};

void check_answers(Arguments& a, Context& context) {
  a.options.duplicates = evaluate::parse_duplicates(a.duplicates);
  const pipeline::ComplianceSummary s = pipeline::check_compliance(a.options);
  a.json ? print(pipeline::compliance_json(s)) : print(pipeline::compliance_text(s));
  if (!s.missing.empty() && !a.allow_missing) context.exit_code = exit_code(ErrorKind::incomplete);
}

}  // namespace

void add_eval_compliance(CLI::App* group, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = group->add_subcommand(
      "compliance",
      "how many of the requirements of its instructions a model keeps; by code, asks nobody\n\n"
      "  tapir eval compliance --input input_data.jsonl --prompts prompts.jsonl\n"
      "  tapir generate --model student --input prompts.jsonl --output answers.jsonl\n"
      "  tapir eval compliance --input input_data.jsonl --answers answers.jsonl\n");
  verb->add_option("--input", a->options.input,
                   "JSONL, rows with \"components\" (docs/rubrics.md), or IFEval's own file")
      ->required();
  verb->add_option("--answers", a->options.answers,
                   "JSONL, {\"id\", \"response\"} as `tapir generate` writes them, or IFEval's "
                   "{\"prompt\", \"response\"}");
  verb->add_option("--output", a->options.output,
                   "JSONL of what was found, a row for each answer; - is standard output");
  verb->add_option("--prompts", a->prompts,
                   "write the prompts as rows for `tapir generate`, and nothing else");
  verb->add_option("--duplicates", a->duplicates,
                   "several answers to one row: error | first | last")
      ->capture_default_str();
  verb->add_flag("--allow-extra", a->options.allow_extra, "pass over answers to other rows");
  verb->add_flag("--allow-missing", a->allow_missing,
                 "rows without an answer are no failure; they are in no figure either way");
  verb->add_flag("--json", a->json, "the figures as JSON on standard output");
  verb->callback([a, &context] {
    if (a->prompts.empty() == a->options.answers.empty()) {
      throw Error(ErrorKind::usage, "tapir eval compliance needs --answers FILE or --prompts FILE",
                  "--prompts FILE first, to have them answered; then --answers FILE");
    }
    if (a->prompts.empty()) return check_answers(*a, context);
    const auto rows = pipeline::write_compliance_prompts(a->options.input, a->prompts);
    context.progress->message(fmt::format("{} prompts", rows));
  });
}

}  // namespace tapir::cli
