// tapir gym items, exam, judge, base
#include <fmt/format.h>

#include "base/error.h"
#include "command.h"
#include "pipeline/gym_commands.h"

namespace tapir::cli {
namespace {

void add_items(CLI::App* group) {
  struct Arguments {
    pipeline::GymItemsOptions options;
    std::string output = "-";
  };
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = group->add_subcommand(
      "items", "instructions of the gym with the teacher's answers, as JSONL");
  verb->add_option("--set", a->options.what, "pool | uniform | beyond")
      ->check(CLI::IsMember({"pool", "uniform", "beyond"}));
  verb->add_option("--part", a->options.part, "train | dev | test")
      ->check(CLI::IsMember({"train", "dev", "test"}));
  verb->add_option("--family", a->options.family, "one family only");
  verb->add_option("--level", a->options.level, "one level only, 1 to 7; needs --family")
      ->check(CLI::Range(0, 7));
  verb->add_option("--rows", a->options.rows, "how many")->check(CLI::PositiveNumber);
  verb->add_option("--seed", a->options.seed, "of the draw");
  verb->add_option("--style", a->options.style, "of the answers: answer | terse | steps")
      ->check(CLI::IsMember({"answer", "terse", "steps"}));
  verb->add_option("--output", a->output, "JSONL; - is standard output");
  verb->callback([a] { pipeline::gym_items(a->options, a->output); });
}

void add_exam(CLI::App* group, Context& context) {
  struct Arguments {
    pipeline::GymExamOptions options;
    bool json = false;
  };
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb = group->add_subcommand(
      "exam", "exact accuracy and judge score of a student on held-out prompts");
  verb->add_option("--model", a->options.model, "student folder")->required();
  verb->add_option("--part", a->options.part, "test | dev")->check(CLI::IsMember({"test", "dev"}));
  verb->add_option("--uniform", a->options.uniform, "items, even over families and levels")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--pool", a->options.pool, "items as the pool is distributed")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--beyond", a->options.beyond, "items of levels never trained on")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--seed", a->options.seed, "of the draw");
  verb->add_flag("--json", a->json, "as JSON");
  verb->callback([a, &context] {
    const Json exam = pipeline::gym_exam_file(*student::make_student_engine(), a->options,
                                              *context.progress, context.stop);
    a->json ? print(exam) : print(pipeline::gym_exam_text(exam));
  });
}

void add_judge(CLI::App* group, Context& context) {
  struct Arguments {
    std::string input;
    std::string output = "-";
  };
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb =
      group->add_subcommand("judge", "the exact judge's verdict on the responses of a file");
  verb->add_option("--input", a->input,
                   "JSONL with id, messages or prompt, response; - is standard input")
      ->required();
  verb->add_option("--output", a->output, "JSONL; - is standard output");
  verb->callback([a, &context] {
    const std::int64_t unknown = pipeline::gym_judge(a->input, a->output);
    if (unknown == 0) return;
    context.progress->message(fmt::format("{} rows are no items of the gym", unknown));
    context.exit_code = exit_code(ErrorKind::incomplete);
  });
}

void add_base(CLI::App* group, Context& context) {
  const auto o = std::make_shared<pipeline::GymBaseOptions>();
  CLI::App* verb = group->add_subcommand(
      "base", "make the base student of the gym: tokenizer, fresh weights, pre-training");
  verb->add_option("--output", o->output, "student folder to write")->required();
  verb->add_option("--seed", o->seed, "of weights, corpus and order");
  verb->add_option("--tokens", o->tokens, "to train on")->check(CLI::PositiveNumber);
  verb->add_option("--vocab-size", o->vocab_size, "of the tokenizer")
      ->check(CLI::Range(300, 100000));
  verb->add_option("--hidden-size", o->hidden_size, "of the student")->check(CLI::PositiveNumber);
  verb->add_option("--intermediate-size", o->intermediate_size, "of the student")
      ->check(CLI::PositiveNumber);
  verb->add_option("--num-hidden-layers", o->num_hidden_layers, "of the student")
      ->check(CLI::PositiveNumber);
  verb->add_option("--num-attention-heads", o->num_attention_heads, "of the student")
      ->check(CLI::PositiveNumber);
  verb->add_option("--max-position-embeddings", o->max_position_embeddings, "context")
      ->check(CLI::PositiveNumber);
  verb->add_option("--learning-rate", o->learning_rate, "peak rate")->check(CLI::PositiveNumber);
  verb->add_option("--batch-tokens", o->batch_tokens, "of an optimizer step")
      ->check(CLI::PositiveNumber);
  verb->add_option("--worked-share", o->worked_share, "worked examples in the other register")
      ->check(CLI::Range(0.0, 1.0));
  verb->callback([o, &context] {
    pipeline::gym_base(*student::make_student_engine(), *o, *context.progress, context.stop);
  });
}

}  // namespace

void add_gym(CLI::App& app, Context& context) {
  CLI::App* group = app.add_subcommand(
      "gym", "the embedded world: small language tasks with an exact teacher and judge");
  group->require_subcommand(1);
  add_items(group);
  add_exam(group, context);
  add_judge(group, context);
  add_base(group, context);
  add_gym_serve(group, context);
}

}  // namespace tapir::cli
