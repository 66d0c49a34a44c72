// tapir train
#include <exception>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "command.h"
#include "pipeline/estimate.h"
#include "pipeline/export_model.h"
#include "pipeline/training_rows.h"
#include "preview.h"
#include "student/rank_launch.h"
#include "student/student.h"

namespace tapir::cli {
namespace {

struct Arguments {
  student::TrainJob train;
  std::string device;
  int ranks = 0;  // 0: not said
  std::vector<std::filesystem::path> data;
  std::vector<std::string> roles = {"assistant"};
  bool mask_history = false;
  bool preview = false;
  std::size_t preview_rows = 3;
  pipeline::StopCheck check;
  bool json = false;
};

pipeline::LearnOptions learn_options(const Arguments& a) {
  pipeline::LearnOptions options{{}, a.mask_history};
  for (const std::string& role : a.roles) options.roles.push_back(parse_role(role, "--learn"));
  return options;
}

void show_preview(const Arguments& a, const student::StudentEngine& engine) {
  const auto rows = engine.preview(a.train, a.preview_rows);
  const student::Preflight preflight = engine.preflight(a.train);
  print(preview_text(rows, colours_wanted()) + "\n" + preflight_table(preflight));
  if (preflight.rows_without_loss == 0) return;
  std::string ids;
  for (const std::string& id : preflight.ids_without_loss) ids += " " + id;
  throw Error(ErrorKind::data, "training would refuse rows without a learnt token:" + ids,
              "give each row an answer, or raise --cutoff-len if the answer was cut off");
}

void ask_to_stop(Arguments& a, const student::StudentEngine& engine) {
  a.check.questions = pipeline::stop_questions(a.train.examples, a.check.prompts);
  if (a.check.file.empty() && a.check.questions.empty()) return;  // no answer was learnt
  pipeline::check_stops(engine, a.train.output_dir, a.check,
                        a.train.output_dir.string() + " is written, but the student does not stop");
}

student::StartedRanks start_ranks(Arguments& a, const Context& context) {
  if (a.train.ranks || a.ranks <= 1) return {};
  auto started =
      student::start_ranks({a.ranks, context.arguments, beside(a.train.output_dir, ".work")});
  a.train.ranks = started.ranks;
  return started;
}

// What every rank but the first does: no word, no file.
void follow(const Arguments& a, const student::StudentEngine& engine, const Context& context) {
  if (engine.train(a.train, silent_progress(), context.stop).finished) return;
  throw Error(ErrorKind::interrupted, "interrupted in training");
}

void train_rows(Arguments& a, Context& context) {
  pipeline::TrainingRows rows = pipeline::read_training_rows(a.data, learn_options(a));
  a.train.examples = std::move(rows.examples);
  const auto engine = student::make_student_engine(a.device);
  if (a.train.io.token_cache.empty() && !a.preview && !a.train.output_dir.empty())
    a.train.io.token_cache = beside(a.train.output_dir, ".work");
  if (a.preview) return rows.with_places([&] { show_preview(a, *engine); });
  if (a.train.ranks && !a.train.ranks->is_first()) return follow(a, *engine, context);
  student::Preflight p;
  rows.with_places([&] { p = engine->preflight(a.train); });
  context.progress->message("chat format: " + p.chat_format);
  context.progress->message(fmt::format("{} rows, {} truncated, {} tokens, {} learnt, {} steps",
                                        p.rows, p.truncated_rows, p.tokens, p.supervised_tokens,
                                        p.steps));
  context.progress->message(pipeline::memory_text(p.memory));
  const student::StartedRanks started = start_ranks(a, context);
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
  ask_to_stop(a, *engine);
}

void run_train(Arguments& a, Context& context) {
  if (a.train.output_dir.empty() && !a.preview) {
    throw Error(ErrorKind::usage, "--output is missing: the folder of the trained student",
                "to look at the rows first, --preview");
  }
  if (!a.preview) a.train.ranks = student::ranks_of_environment(a.ranks);
  try {
    train_rows(a, context);
  } catch (const std::exception& e) {
    if (a.train.ranks) a.train.ranks->fail(e.what());
    throw;
  }
}

}  // namespace

void add_train(CLI::App& app, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App* verb =
      app.add_subcommand("train", "supervised fine-tuning; goes on by itself where it stopped");
  verb->footer(
      "Look first, then train:\n"
      "  tapir train --model DIR --data rows.jsonl --preview --rows 2\n"
      "  tapir train --model DIR --data rows.jsonl --output trained --learning-rate 1e-4");
  auto& o = a->train.options;
  verb->add_option("--model", a->train.model_dir, "student folder to start from")->required();
  verb->add_option(
          "--data", a->data,
          "files of conversations: Alpaca, messages, ShareGPT or prompt/completion, JSON or "
          "JSONL, .gz too; or DIR/dataset_info.json:NAME of LLaMA-Factory")
      ->required();
  verb->add_option("--output", a->train.output_dir, "folder of the trained student");
  verb->add_flag(
      "--preview", a->preview,
      "train nothing: print rows token by token, learnt ones marked, and what a training "
      "would see");
  verb->add_option("--rows", a->preview_rows, "rows that --preview prints")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--template", o.chat_format,
                   "chat format; auto: found from the folder's own template; a named one becomes "
                   "the trained folder's (docs/chat_formats.md lists them)");
  verb->add_option("--learn", a->roles, "roles whose messages are learnt")
      ->delimiter(',')
      ->check(CLI::IsMember({"system", "user", "assistant", "tool"}));
  verb->add_flag("--mask-history", a->mask_history, "learn the last answer of a conversation only");
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
  verb->add_option("--ranks", a->ranks,
                   "processes that share each step's rows, on this machine's CPU; started here, or "
                   "by torchrun --no-python tapir train ... without this option")
      ->check(CLI::Range(1, 64));
  verb->add_option("--save-steps", a->train.io.save_steps, "a checkpoint every so many steps")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--logging-steps", a->train.io.logging_steps,
                   "a line of metrics every so many steps")
      ->check(CLI::PositiveNumber);
  verb->add_option("--token-cache", a->train.io.token_cache,
                   "folder that keeps tokenized data for other trainings on it (<output>.work)");
  add_device_option(verb, a->device);
  add_training_options(verb, a->train);
  add_stop_check(verb, a->check);
  verb->add_flag("--json", a->json, "the summary as JSON on standard output");
  verb->callback([a, &context] { run_train(*a, context); });
}

}  // namespace tapir::cli
