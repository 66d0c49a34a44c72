// tapir train, generate, logprobs, tokenize
#include <fmt/format.h>

#include "base/error.h"
#include "command.h"
#include "pipeline/file_commands.h"

namespace tapir::cli {
namespace {

struct Arguments {
  pipeline::FileCommand files;
  student::GenerateOptions generate;
  student::TrainJob train;
  std::string data;
  int threads = 0;
  std::string device = "auto";
  bool json = false;
};

void add_device_option(CLI::App* verb, const std::shared_ptr<Arguments>& a) {
  verb->add_option("--device", a->device, "auto | cpu | cuda | cuda:<n>");
}

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
  add_device_option(verb, a);
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
    finish(pipeline::generate_file(*student::make_student_engine(a->device), a->files, a->generate,
                                   *context.progress, context.stop),
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
  add_device_option(verb, a);
  verb->callback([a, &context] {
    finish(pipeline::logprobs_file(*student::make_student_engine(a->device), a->files), *a,
           context);
  });
}

std::string memory_line(const student::MemoryPlan& m) {
  const auto gb = [](std::int64_t bytes) { return static_cast<double>(bytes) / 1e9; };
  return fmt::format(
      "memory: {:.2f} GB = {:.2f} weights + {:.2f} gradients + {:.2f} optimizer + {:.2f} "
      "activations (passes of {} tokens) + {:.2f} program and rows",
      gb(m.total()), gb(m.weights), gb(m.gradients), gb(m.optimizer), gb(m.activations),
      m.micro_batch_tokens, gb(m.process));
}

void run_train(Arguments& a, Context& context) {
  a.train.examples = pipeline::read_examples(a.data);
  const auto engine = student::make_student_engine();
  const auto p = engine->preflight(a.train);
  context.progress->message(fmt::format("{} rows, {} truncated, {} tokens, {} learnt, {} steps",
                                        p.rows, p.truncated_rows, p.tokens, p.supervised_tokens,
                                        p.steps));
  context.progress->message(memory_line(p.memory));
  const auto r = engine->train(a.train, *context.progress, context.stop);
  if (!r.finished) {
    throw Error(ErrorKind::interrupted, "interrupted in training",
                "the same command goes on from the last checkpoint");
  }
  Json summary = {{"steps", r.steps},
                        {"tokens", r.tokens},
                        {"supervised_tokens", r.supervised_tokens},
                        {"first_loss", r.first_loss},
                        {"last_loss", r.last_loss},
                        {"seconds", r.seconds}};
  if (r.eval_loss) summary["eval_loss"] = *r.eval_loss;
  a.json ? print(summary)
         : print(fmt::format("{} steps, loss {:.4f} -> {:.4f}, {} tokens in {:.1f} s: {}", r.steps,
                             r.first_loss, r.last_loss, r.tokens, r.seconds,
                             a.train.output_dir.string()));
}

void add_train(CLI::App& app, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb =
      app.add_subcommand("train", "supervised fine-tuning; goes on by itself where it stopped");
  auto& o = a->train.options;
  verb->add_option("--model", a->train.model_dir, "student folder to start from")->required();
  verb->add_option("--data", a->data,
                   "instructions with responses (Alpaca, messages, ShareGPT; JSON or JSONL)")
      ->required();
  verb->add_option("--output", a->train.output_dir, "folder of the trained student")->required();
  verb->add_option("--learning-rate", o.learning_rate, "peak rate")->check(CLI::PositiveNumber);
  verb->add_option("--lr-scheduler-type", o.lr_scheduler_type, "cosine | linear | constant")
      ->check(CLI::IsMember({"cosine", "linear", "constant"}));
  verb->add_option("--warmup-ratio", o.warmup_ratio, "of the steps")->check(CLI::Range(0.0, 1.0));
  verb->add_option("--weight-decay", o.weight_decay, "AdamW")->check(CLI::NonNegativeNumber);
  verb->add_option("--max-grad-norm", o.max_grad_norm, "clipping; 0: off")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--cutoff-len", o.cutoff_len, "longer rows are cut, and counted")
      ->check(CLI::PositiveNumber);
  verb->add_option("--total-batch-size", o.total_batch_size, "rows of an optimizer step")
      ->check(CLI::PositiveNumber);
  verb->add_option("--batch-tokens", o.batch_tokens, "tokens of an optimizer step instead of rows")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--num-train-epochs", o.num_train_epochs, "passes over the rows")
      ->check(CLI::PositiveNumber);
  verb->add_option("--max-steps", o.max_steps, "instead of epochs")->check(CLI::NonNegativeNumber);
  verb->add_option("--seed", o.seed, "order of rows");
  verb->add_option("--lanes", o.lanes, "gradients are summed over so many lanes")
      ->check(CLI::PositiveNumber);
  verb->add_option("--save-steps", a->train.io.save_steps, "a checkpoint every so many steps")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--logging-steps", a->train.io.logging_steps,
                   "a line of metrics every so many steps")
      ->check(CLI::PositiveNumber);
  add_training_options(verb, a->train);
  verb->add_flag("--json", a->json, "the summary as JSON on standard output");
  verb->callback([a, &context] { run_train(*a, context); });
}

}  // namespace

void add_files(CLI::App& app, Context& context) {
  add_train(app, context);
  add_generate(app, context);
  add_logprobs(app, context);
  add_tokenize(app, context);
}

}  // namespace tapir::cli
