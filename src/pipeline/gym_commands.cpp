#include "pipeline/gym_commands.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/strings.h"
#include "evaluate/exam.h"
#include "gym/family.h"
#include "gym/world.h"
#include "pipeline/gym_binding.h"
#include "pipeline/recipe.h"
#include "pipeline/row_files.h"
#include "student/new_student.h"
#include "text/chat_format.h"
#include "text/tokenizer.h"

namespace tapir::pipeline {
namespace {

constexpr const char* kChatFormat = "compact";
constexpr std::size_t kTokenizerRows = 60000;  // of the corpus, to train the tokenizer on

gym::Part part_named(const std::string& name) {
  for (const gym::Part part : {gym::Part::train, gym::Part::dev, gym::Part::test}) {
    if (name == to_string(part)) return part;
  }
  throw Error(ErrorKind::usage, "unknown part " + name, "parts: train, dev, test");
}

gym::Style style_named(const std::string& name) {
  if (name == "answer") return gym::Style::answer;
  if (name == "terse") return gym::Style::terse;
  if (name == "steps") return gym::Style::steps;
  throw Error(ErrorKind::usage, "unknown style " + name, "styles: answer, terse, steps");
}

std::vector<gym::Item> items_of_family(const GymItemsOptions& options) {
  const gym::Family* family = gym::find_family(options.family);
  if (family == nullptr) {
    std::vector<std::string> names;
    for (const gym::Family* known : gym::families()) names.emplace_back(known->name());
    throw Error(ErrorKind::usage, "the gym has no family " + options.family,
                "families: " + join(names, ", "));
  }
  std::vector<gym::Item> items;
  for (std::int64_t i = 0; i < options.rows; ++i) {
    const int level = options.level > 0 ? options.level : static_cast<int>(i % gym::kLevels) + 1;
    items.push_back(gym::make_item(*family, level, part_named(options.part), options.seed,
                                   static_cast<std::uint64_t>(i)));
  }
  return items;
}

std::vector<gym::Item> items_of(const GymItemsOptions& options) {
  if (!options.family.empty()) return items_of_family(options);
  const int rows = static_cast<int>(options.rows);
  if (options.what == "pool" && options.part == "train")
    return gym::pool({.rows = rows, .seed = options.seed});
  const auto distribution = options.what == "pool"      ? gym::Distribution::pool
                            : options.what == "uniform" ? gym::Distribution::uniform
                                                        : gym::Distribution::beyond;
  return gym::exam({.part = part_named(options.part),
                    .distribution = distribution,
                    .rows = rows,
                    .seed = options.seed});
}

Json set_json(const std::vector<store::ExamRow>& rows, const std::string& set) {
  const evaluate::ExamSummary summary = evaluate::summarise(rows, set);
  Json families = Json::object();
  for (const auto& [name, cell] : summary.by_family) {
    Json levels = Json::object();
    for (const auto& [key, level] : summary.by_cell) {
      if (key.first == name) levels[std::to_string(key.second)] = level.accuracy;
    }
    families[name] = {{"items", cell.items},
                      {"accuracy", cell.accuracy},
                      {"score", cell.score},
                      {"levels", levels}};
  }
  return {{"items", summary.all.items},
          {"macro_accuracy", summary.macro_accuracy},
          {"accuracy", summary.all.accuracy},
          {"score", summary.all.score},
          {"families", families}};
}

std::string tokenizer_of(const std::vector<gym::CorpusRow>& corpus, int vocab_size) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < std::min(kTokenizerRows, corpus.size()); ++i) {
    texts.push_back(corpus[i].prompt);
    texts.push_back(corpus[i].answer);
  }
  text::BpeTrainerOptions options;
  options.vocab_size = vocab_size;
  options.special_tokens = text::chat_special_tokens(kChatFormat);
  return text::train_bpe(texts, options);
}

}  // namespace

std::int64_t gym_items(const GymItemsOptions& options, const std::string& output) {
  if (options.level > 0 && options.family.empty()) {
    throw Error(ErrorKind::usage, "--level needs --family", "name one of the families");
  }
  const gym::Style style = style_named(options.style);
  RowsOut out(output);
  std::int64_t rows = 0;
  for (const gym::Item& item : items_of(options)) {
    const OrderedJson row = {{"id", item.id},
                             {"messages", {{{"role", "user"}, {"content", item.prompt}}}},
                             {"response", item.family->teacher(item.prompt, style)},
                             {"task", item.family->task()},
                             {"family", item.family->name()},
                             {"level", item.level}};
    out.add(row);
    ++rows;
  }
  out.finish();
  return rows;
}

Json gym_exam_file(const student::StudentEngine& engine, const GymExamOptions& options,
                   ProgressSink& progress, std::stop_token stop) {
  Recipe recipe;
  recipe.seed = options.seed;
  recipe.exam = {options.uniform, options.pool, options.beyond, options.part};
  const auto items = gym_exam(recipe, /*all_sets=*/true);
  const auto student = engine.load(options.model);
  const auto grader = gym_grader();
  std::vector<store::ExamRow> rows;
  const bool complete = evaluate::run_exam(
      *student, "student", items, *grader, {},
      [&](const store::ExamRow& row) { rows.push_back(row); }, progress, stop);
  if (!complete) throw Error(ErrorKind::interrupted, "interrupted in the exam");
  Json sets = Json::object();
  for (const char* set : {"uniform", "pool", "beyond"}) {
    if (std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return row.set == set; }))
      sets[set] = set_json(rows, set);
  }
  return {{"model", options.model.string()}, {"part", options.part}, {"sets", sets}};
}

std::string gym_exam_text(const Json& exam) {
  std::string out;
  for (const auto& [set, summary] : exam["sets"].items()) {
    out += fmt::format(
        "{}: {} items, macro accuracy {:.1f} %, accuracy {:.1f} %, judge score {:.2f}\n", set,
        summary["items"].get<std::int64_t>(), 100 * summary["macro_accuracy"].get<double>(),
        100 * summary["accuracy"].get<double>(), summary["score"].get<double>());
    for (const auto& [family, cell] : summary["families"].items()) {
      out += fmt::format("  {:<16} {:>5.1f} %  by level", family,
                         100 * cell["accuracy"].get<double>());
      for (const auto& [level, accuracy] : cell["levels"].items()) {
        out += fmt::format("  {}: {:>3.0f}", level, 100 * accuracy.get<double>());
      }
      out += "\n";
    }
  }
  return out;
}

std::int64_t gym_judge(const std::string& input, const std::string& output) {
  RowsOut rows(output);
  std::int64_t unknown = 0;
  for_each_jsonl(input, [&](const Json& row, const std::string& where) {
    const std::string prompt =
        row.contains("messages") ? messages_from_json(row["messages"].dump(), where).back().content
                                 : json_get<std::string>(row, "prompt", where);
    const gym::Family* family = gym::recognise(prompt);
    OrderedJson out = {{"id", row.value("id", Json())}};
    if (family == nullptr) {
      ++unknown;
      out["error"] = "not_an_item";
    } else {
      const gym::Verdict verdict =
          family->judge(prompt, json_get<std::string>(row, "response", where));
      out["correct"] = verdict.right();
      out["score"] = verdict.score();
      out["components"] = {
          {"correct", verdict.correct}, {"steps", verdict.steps}, {"format", verdict.format}};
      out["words"] = verdict.words;
    }
    rows.add(out);
  });
  rows.finish();
  return unknown;
}

void gym_base(const student::StudentEngine& engine, const GymBaseOptions& options,
              ProgressSink& progress, std::stop_token stop) {
  // Rows are at least some 16 tokens long: one pass over the corpus is enough.
  const auto corpus = gym::base_corpus({.rows = static_cast<int>(options.tokens / 16),
                                        .worked_share = options.worked_share,
                                        .seed = options.seed});
  std::filesystem::path fresh = options.output;
  fresh += ".fresh";
  student::NewStudent made;
  made.tokenizer = tokenizer_of(corpus, options.vocab_size);
  made.chat_format = kChatFormat;
  made.seed = options.seed;
  made.config.hidden_size = options.hidden_size;
  made.config.intermediate_size = options.intermediate_size;
  made.config.num_hidden_layers = options.num_hidden_layers;
  made.config.num_attention_heads = options.num_attention_heads;
  made.config.num_key_value_heads = options.num_attention_heads;
  made.config.head_dim = options.hidden_size / options.num_attention_heads;
  made.config.max_position_embeddings = options.max_position_embeddings;
  made.config.tie_word_embeddings = true;
  student::make_new_student(made, fresh);
  student::TrainJob job;
  job.model_dir = fresh;
  job.output_dir = options.output;
  job.options.learning_rate = options.learning_rate;
  job.options.warmup_ratio = 0.02;
  job.options.weight_decay = 0.01;
  job.options.cutoff_len = options.max_position_embeddings;
  job.options.batch_tokens = options.batch_tokens;
  job.options.max_steps = options.tokens / options.batch_tokens;
  job.options.seed = options.seed;
  job.options.lanes = options.lanes;
  job.io.logging_steps = 100;
  job.io.save_steps = 1000;
  job.io.stage = "gym base";
  for (std::size_t i = 0; i < corpus.size(); ++i) {
    job.examples.push_back(make_example(
        {.id = std::to_string(i), .messages = {{Role::user, corpus[i].prompt}}}, corpus[i].answer));
  }
  const student::TrainResult result = engine.train(job, progress, stop);
  if (!result.finished) {
    throw Error(ErrorKind::interrupted, "interrupted in training the base",
                "the same command goes on from the last checkpoint");
  }
  // A base to start from, not a training to go on with.
  std::filesystem::remove_all(fresh);
  for (const char* name : {"optimizer.safetensors", "trainer_state.json", "metrics.jsonl"}) {
    std::filesystem::remove(options.output / name);
  }
  progress.message(fmt::format("{}: {} steps, {} tokens, loss {:.3f} -> {:.3f} in {:.0f} s",
                               options.output.string(), result.steps, result.tokens,
                               result.first_loss, result.last_loss, result.seconds));
}

}  // namespace tapir::pipeline
