#include "student/job.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "student/lanes.h"

namespace tapir::student {
namespace {

constexpr std::size_t kShownIds = 10;

[[noreturn]] void impossible(const std::string& option, const std::string& found,
                             const std::string& expected) {
  throw Error(ErrorKind::usage, option + ": found " + found + ", expected " + expected);
}

void need(bool holds, const std::string& option, double found, const std::string& expected) {
  if (holds) return;
  std::string text = std::to_string(found);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  impossible(option, text, expected);
}

// All options that decide the weights, with their names: a new one must be added here.
std::string options_text(const TrainOptions& o, const TrainIo& io) {
  const OrderedJson json = {{"learning_rate", o.learning_rate},
                            {"lr_scheduler_type", o.lr_scheduler_type},
                            {"warmup_ratio", o.warmup_ratio},
                            {"weight_decay", o.weight_decay},
                            {"adam_beta1", o.adam_beta1},
                            {"adam_beta2", o.adam_beta2},
                            {"adam_epsilon", o.adam_epsilon},
                            {"max_grad_norm", o.max_grad_norm},
                            {"cutoff_len", o.cutoff_len},
                            {"total_batch_size", o.total_batch_size},
                            {"batch_tokens", o.batch_tokens},
                            {"num_train_epochs", o.num_train_epochs},
                            {"max_steps", o.max_steps},
                            {"schedule_total_steps", o.schedule_total_steps},
                            {"schedule_first_step", o.schedule_first_step},
                            {"seed", o.seed},
                            {"lanes", o.lanes},
                            {"shuffle", o.shuffle},
                            {"micro_batch_tokens", io.micro_batch_tokens}};
  return json.dump();
}

std::string digest_of(const Example& example) {
  std::string text = example.id;
  text += '\0';
  for (const Segment& segment : example.segments) {
    text += hash_fields({to_string(segment.role), segment.text, segment.loss ? "1" : "0"});
  }
  return sha256_hex(text);
}

std::string digest_of_file(const std::filesystem::path& file) {
  return std::filesystem::exists(file) ? sha256_file(file) : "absent";
}

EncodedRow encode_row(const Example& example, const text::ChatFormat& format, std::int64_t limit) {
  text::EncodedExample encoded = format.encode_example(example);
  EncodedRow row;
  row.id = example.id;
  row.tokens = std::move(encoded.tokens);
  row.loss = std::move(encoded.loss);
  row.truncated = static_cast<std::int64_t>(row.tokens.size()) > limit;
  if (row.truncated) {
    row.tokens.resize(static_cast<std::size_t>(limit));
    row.loss.resize(static_cast<std::size_t>(limit));
  }
  if (!row.loss.empty()) row.loss.front() = 0;
  row.supervised = std::count(row.loss.begin(), row.loss.end(), std::uint8_t{1});
  return row;
}

}  // namespace

Words load_words(const std::filesystem::path& folder, const ModelConfig& config) {
  Words words;
  words.tokenizer = text::load_tokenizer(folder);
  if (words.tokenizer->vocab_size() > config.vocab_size) {
    throw Error(ErrorKind::data,
                folder.string() + ": the tokenizer has " +
                    std::to_string(words.tokenizer->vocab_size()) +
                    " tokens, config.json's vocab_size is " + std::to_string(config.vocab_size),
                "tokenizer.json and config.json must come from the same model");
  }
  words.format = text::load_chat_format(folder, words.tokenizer);
  return words;
}

std::vector<EncodedRow> encode_rows(std::span<const Example> examples,
                                    const text::ChatFormat& format, std::int64_t limit) {
  std::vector<EncodedRow> rows(examples.size());
  parallel_for(static_cast<std::int64_t>(examples.size()), [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    rows[index] = encode_row(examples[index], format, limit);
  });
  return rows;
}

void check_options(const TrainJob& job) {
  const TrainOptions& o = job.options;
  need(o.learning_rate >= 0, "learning_rate", o.learning_rate, "0 or more");
  need(o.warmup_ratio >= 0 && o.warmup_ratio <= 1, "warmup_ratio", o.warmup_ratio, "0 to 1");
  need(o.weight_decay >= 0, "weight_decay", o.weight_decay, "0 or more");
  need(o.adam_beta1 >= 0 && o.adam_beta1 < 1, "adam_beta1", o.adam_beta1, "0 to below 1");
  need(o.adam_beta2 >= 0 && o.adam_beta2 < 1, "adam_beta2", o.adam_beta2, "0 to below 1");
  need(o.adam_epsilon > 0, "adam_epsilon", o.adam_epsilon, "above 0");
  need(o.max_grad_norm >= 0, "max_grad_norm", o.max_grad_norm, "0 (off) or more");
  need(o.cutoff_len > 1, "cutoff_len", o.cutoff_len, "2 or more");
  need(o.batch_tokens >= 0, "batch_tokens", o.batch_tokens, "0 (off) or more");
  need(o.batch_tokens > 0 || o.total_batch_size > 0, "total_batch_size", o.total_batch_size,
       "1 or more");
  need(o.max_steps > 0 || o.num_train_epochs > 0, "num_train_epochs", o.num_train_epochs,
       "above 0");
  need(o.lanes >= 1 && o.lanes <= 256, "lanes", o.lanes, "1 to 256");
  need(job.io.micro_batch_tokens >= 0, "micro_batch_tokens", job.io.micro_batch_tokens,
       "0 (chosen) or more");
  if (job.output_dir.empty()) impossible("output_dir", "nothing", "a folder");
  if (job.examples.empty()) {
    throw Error(ErrorKind::data, "there are no rows to train on",
                "give at least one row with an answer");
  }
}

std::vector<std::int64_t> lengths_of(const std::vector<EncodedRow>& rows) {
  std::vector<std::int64_t> lengths;
  for (const EncodedRow& row : rows)
    lengths.push_back(static_cast<std::int64_t>(row.tokens.size()));
  return lengths;
}

Preflight summarise(const std::vector<EncodedRow>& rows, const TrainOptions& options) {
  Preflight seen;
  seen.rows = static_cast<std::int64_t>(rows.size());
  for (const EncodedRow& row : rows) {
    const auto length = static_cast<std::int64_t>(row.tokens.size());
    seen.tokens += length;
    seen.supervised_tokens += row.supervised;
    seen.longest = std::max(seen.longest, length);
    if (row.truncated) ++seen.truncated_rows;
    if (row.supervised > 0) continue;
    ++seen.rows_without_loss;
    if (seen.ids_without_loss.size() < kShownIds) seen.ids_without_loss.push_back(row.id);
  }
  if (!rows.empty()) seen.steps = count_steps(lengths_of(rows), options);
  return seen;
}

std::string job_digest(const TrainJob& job) {
  std::string rows;
  for (const Example& example : job.examples) rows += digest_of(example);
  std::string files;
  for (const char* name :
       {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}) {
    files += digest_of_file(job.model_dir / name);
  }
  if (std::filesystem::exists(job.model_dir / "tokenizer.model")) {
    files += digest_of_file(job.model_dir / "tokenizer.model");
  }
  if (!job.optimizer_from.empty())
    files += digest_of_file(job.optimizer_from / "optimizer.safetensors");
  return hash_fields({options_text(job.options, job.io), sha256_hex(rows), files});
}

}  // namespace tapir::student
