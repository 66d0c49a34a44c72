// tapir tokenizer train
#include <fmt/format.h>

#include "base/strings.h"
#include "command.h"
#include "text/train_tokenizer.h"

namespace tapir::cli {
namespace {

struct Arguments {
  text::TrainTokenizerOptions options;
  bool json = false;
};

void run_train(const Arguments& a) {
  const text::TrainTokenizerSummary s = text::train_tokenizer(a.options);
  if (a.json) {
    print(Json{{"texts", s.texts},
               {"bytes", s.bytes},
               {"vocab_size", s.vocab_size},
               {"bytes_per_token", s.bytes_per_token}});
  } else {
    print(fmt::format("{} texts, {} bytes -> {} tokens, {:.2f} bytes a token: {}", s.texts, s.bytes,
                      s.vocab_size, s.bytes_per_token, a.options.output_dir.string()));
  }
}

}  // namespace

void add_tokenizer(CLI::App& app, Context&) {
  CLI::App* group = app.add_subcommand("tokenizer", "make a tokenizer");
  group->require_subcommand(1);
  const auto a = std::make_shared<Arguments>();
  a->options.bpe.vocab_size = 32000;
  a->options.bpe.pattern = "qwen2";
  CLI::App* verb = group->add_subcommand(
      "train",
      "train a byte-level BPE; `tokenizers` and AutoTokenizer load the folder\n\n"
      "  tapir tokenizer train --input corpus.txt data.jsonl --vocab-size 8000 --output tok \\\n"
      "    --special-token '<|im_start|>' --special-token '<|im_end|>' --eos-token '<|im_end|>'\n");
  auto& o = a->options;
  verb->add_option(
          "--input", o.inputs,
          "plain text, or JSON and JSONL of texts, instructions or conversations; also .gz")
      ->required()
      ->check(CLI::ExistingFile);
  verb->add_option("--output", o.output_dir, "folder for tokenizer.json and tokenizer_config.json")
      ->required();
  verb->add_option("--vocab-size", o.bpe.vocab_size,
                   "tokens, with the special ones and the 256 bytes")
      ->check(CLI::PositiveNumber);
  verb->add_option("--min-frequency", o.bpe.min_frequency, "a rarer pair is not merged")
      ->check(CLI::PositiveNumber);
  verb->add_option("--special-token", o.bpe.special_tokens,
                   "a control token; may be given more than once");
  verb->add_option("--bos-token", o.bos_token, "begin of text");
  verb->add_option("--eos-token", o.eos_token, "end of text");
  verb->add_option("--pattern", o.bpe.pattern,
                   "how texts are cut into words: a regular expression, or that of " +
                       join(text::split_pattern_names(), ", "));
  verb->add_flag("--json", a->json, "the summary as JSON on standard output");
  verb->callback([a] { run_train(*a); });
}

}  // namespace tapir::cli
