// tapir data stats, clean
#include "command.h"
#include "pipeline/data_commands.h"

namespace tapir::cli {
namespace {

struct Arguments {
  pipeline::DataCommand command;
  bool keep_encoding = false;
  bool keep_refusals = false;
  bool keep_duplicates = false;
  std::string output;
  std::string removed;
  bool json = false;
};

void add_options(CLI::App* verb, const std::shared_ptr<Arguments>& a) {
  auto& c = a->command;
  verb->add_option("--input", c.inputs, "files of instructions, in any form; - is standard input")
      ->required();
  verb->add_option("--against", c.against,
                   "evaluation sets whose items must not be in the data: AlpacaEval, MT-Bench, or "
                   "instructions");
  verb->add_option("--ngram", c.contamination.ngram, "words of an n-gram that an item is found by")
      ->check(CLI::Range(2, 100))
      ->capture_default_str();
  verb->add_option("--share", c.contamination.share,
                   "of an item's words that such n-grams have to cover")
      ->check(CLI::Range(0.01, 1.0))
      ->capture_default_str();
  verb->add_option("--near-duplicates", c.clean.rouge_l,
                   "leave out what has this ROUGE-L or more with a row before it; 0: off")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  verb->add_option("--minhash", c.clean.minhash,
                   "leave out what shares so much of its 3-word sequences (estimated); 0: off")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  verb->add_flag("--empty-answers", c.clean.empty_answers, "leave out rows without a response");
  verb->add_flag("--keep-bad-encoding", a->keep_encoding, "do not look at the encoding");
  verb->add_flag("--keep-refusals", a->keep_refusals, "do not look for answers that refuse");
  verb->add_flag("--keep-duplicates", a->keep_duplicates, "do not look for equal instructions");
  verb->add_flag("--json", a->json, "the report as JSON on standard output");
}

pipeline::DataCommand command_of(const Arguments& a) {
  pipeline::DataCommand command = a.command;
  command.clean.encoding = !a.keep_encoding;
  command.clean.refusals = !a.keep_refusals;
  command.clean.duplicates = !a.keep_duplicates;
  return command;
}

}  // namespace

void add_data(CLI::App& app, Context& context) {
  CLI::App* group = app.add_subcommand("data", "figures about instruction files; cleaning them");
  group->require_subcommand(1);

  const auto s = std::make_shared<Arguments>();
  CLI::App* stats = group->add_subcommand(
      "stats", "what files hold and what cleaning would leave out; writes nothing, asks nobody");
  add_options(stats, s);
  stats->callback([s] {
    const auto report = pipeline::data_stats(command_of(*s));
    s->json ? print(pipeline::data_report_json(report)) : print(pipeline::data_report_text(report));
  });

  const auto c = std::make_shared<Arguments>();
  CLI::App* clean = group->add_subcommand(
      "clean",
      "keep the sound rows, set the others aside with the reason\n\n"
      "  tapir data clean --input alpaca.json --against alpaca_eval.json --near-duplicates 0.7 \\\n"
      "    --output kept.jsonl --removed removed.jsonl\n\n"
      "Nothing is lost: `cat kept.jsonl removed.jsonl` is the data again. A row that was set "
      "aside\n"
      "wrongly is moved from one file to the other.");
  add_options(clean, c);
  clean->add_option("--output", c->output, "JSONL of the rows that are kept; - is standard output")
      ->required();
  clean->add_option("--removed", c->removed, "JSONL of the others, with \"reason\" and \"detail\"");
  clean->callback([c, &context] {
    const auto report = pipeline::data_clean(command_of(*c), c->output, c->removed);
    if (c->json) return print(pipeline::data_report_json(report));
    context.progress->message(pipeline::data_report_text(report));
  });
}

}  // namespace tapir::cli
