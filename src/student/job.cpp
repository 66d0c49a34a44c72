#include "student/job.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/random.h"
#include "base/strings.h"
#include "student/adapter_file.h"
#include "student/bf16_kernels.h"
#include "student/folder_files.h"
#include "student/lanes.h"
#include "student/student_folder.h"

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
  OrderedJson json = {{"learning_rate", o.learning_rate},
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
  // Younger options stand here only where they are in use: jobs without them keep their digests.
  if (o.order_seed) json["order_seed"] = *o.order_seed;
  if (o.packing) json["packing"] = true;
  if (o.val_size > 0) json["val_size"] = o.val_size;
  if (o.bf16) json["bf16"] = true;
  if (o.optim_state_dtype != "float32") json["optim_state_dtype"] = o.optim_state_dtype;
  if (o.save_dtype != "auto") json["save_dtype"] = o.save_dtype;
  if (o.finetuning_type != "full") {
    json["finetuning_type"] = o.finetuning_type;
    json["lora"] = {o.lora.lora_rank, o.lora.lora_alpha, o.lora.lora_dropout, o.lora.use_rslora,
                    o.lora.lora_target};
  }
  if (o.chat_format != "auto") json["chat_format"] = o.chat_format;
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

void need_one_of(const std::string& option, const std::string& found,
                 const std::vector<std::string>& known) {
  if (std::count(known.begin(), known.end(), found) > 0) return;
  impossible(option, "\"" + found + "\"", join(known, " or "));
}

void check_newer_options(const TrainOptions& o, const Device& device) {
  need(o.val_size >= 0, "val_size", o.val_size, "0 (off), a share below 1, or a number of rows");
  need_one_of("finetuning_type", o.finetuning_type, {"full", "lora"});
  if (o.bf16 && device.own_kernels() && bf16_kernels() == nullptr) {
    throw Error(ErrorKind::usage, "bf16: this CPU has no bf16 units",
                "leave bf16 out: emulating it would be slower than fp32");
  }
  need_one_of("optim_state_dtype", o.optim_state_dtype, {"float32", "bfloat16"});
  need_one_of("save_dtype", o.save_dtype, {"auto", "float32", "bfloat16", "float16"});
  need(o.lora.lora_rank >= 1, "lora_rank", o.lora.lora_rank, "1 or more");
  need(o.lora.lora_alpha >= 0, "lora_alpha", o.lora.lora_alpha, "0 (twice the rank) or more");
  need(o.lora.lora_dropout >= 0 && o.lora.lora_dropout < 1, "lora_dropout", o.lora.lora_dropout,
       "0 to below 1");
}

// Of a row that is repeated: "<id>#2" is a repetition of "<id>" (records: Example::id).
std::string original_id(const std::string& id) { return id.substr(0, id.rfind('#')); }

EncodedRow encode_row(const Example& example, const text::ChatFormat& format, std::int64_t limit) {
  text::EncodedExample encoded = format.encode_example(example);
  EncodedRow row;
  row.id = example.id;
  row.truncated = static_cast<std::int64_t>(encoded.tokens.size()) > limit;
  if (row.truncated) {
    encoded.tokens.resize(static_cast<std::size_t>(limit));
    encoded.loss.resize(static_cast<std::size_t>(limit));
  }
  if (!encoded.loss.empty()) encoded.loss.front() = 0;
  row.supervised = std::count(encoded.loss.begin(), encoded.loss.end(), std::uint8_t{1});
  row.tokens = std::move(encoded.tokens);
  row.loss = std::move(encoded.loss);
  return row;
}

}  // namespace

Words load_words(const std::filesystem::path& folder, const ModelConfig& config,
                 std::string_view chat_format) {
  Words words;
  words.tokenizer = text::load_tokenizer(folder);
  if (words.tokenizer->vocab_size() > config.vocab_size) {
    throw Error(ErrorKind::data,
                folder.string() + ": the tokenizer has " +
                    std::to_string(words.tokenizer->vocab_size()) +
                    " tokens, config.json's vocab_size is " + std::to_string(config.vocab_size),
                "tokenizer.json and config.json must come from the same model");
  }
  words.format = text::load_chat_format(folder, words.tokenizer, chat_format);
  return words;
}

std::string rows_digest(std::span<const Example> examples) {
  std::string rows;
  for (const Example& example : examples) rows += digest_of(example);
  return sha256_hex(rows);
}

void write_chat_format(const std::filesystem::path& folder, std::string_view chat_format) {
  if (chat_format == "auto") return;
  write_aside(folder / "chat_template.jinja", text::chat_template(chat_format));
  // Names the tokens that end an answer in this format; an adapter's folder has no such file.
  if (std::filesystem::exists(folder / "config.json")) complete_folder(folder);
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

void check_options(const TrainJob& job, const Device& device) {
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
  check_newer_options(o, device);
  if (job.ranks && !device.own_kernels()) {
    throw Error(ErrorKind::usage,
                "device: found " + device.name + " for several processes, expected cpu",
                "ranks train on the CPU; on a GPU, train in one process");
  }
  if (!job.output_dir.empty()) check_output_folder(job.output_dir);
  if (job.examples.empty()) {
    throw Error(ErrorKind::data, "there are no rows to train on",
                "give at least one row with an answer");
  }
}

RowSplit split_rows(const std::vector<EncodedRow>& rows, const TrainOptions& options) {
  RowSplit split;
  if (options.val_size <= 0) {
    split.training.resize(rows.size());
    std::iota(split.training.begin(), split.training.end(), std::size_t{0});
    return split;
  }
  const double share = options.val_size < 1 ? options.val_size : 0;
  const auto all = static_cast<double>(rows.size());
  const auto wanted = static_cast<std::size_t>(share > 0 ? std::max(1.0, std::round(share * all))
                                                         : options.val_size);
  std::vector<std::string> ids;
  for (const EncodedRow& row : rows) ids.push_back(original_id(std::string(row.id)));
  std::map<std::string, std::size_t> counts;
  for (const std::string& id : ids) ++counts[id];
  std::vector<std::string> order;
  for (const auto& [id, count] : counts) order.push_back(id);
  RandomStream(options.seed, "validation").shuffle(order);
  std::set<std::string> held_out;
  std::size_t held = 0;
  for (std::size_t i = 0; held < wanted && i < order.size(); ++i) {
    held_out.insert(order[i]);
    held += counts[order[i]];
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    (held_out.contains(ids[i]) ? split.validation : split.training).push_back(i);
  }
  if (split.training.empty()) {
    throw Error(
        ErrorKind::data,
        "val_size holds out all " + std::to_string(rows.size()) + " rows, none is left to train on",
        "lower val_size, or give more rows");
  }
  return split;
}

std::vector<std::int64_t> lengths_of(const std::vector<EncodedRow>& rows,
                                     const std::vector<std::size_t>& chosen) {
  std::vector<std::int64_t> lengths;
  for (const std::size_t row : chosen)
    lengths.push_back(static_cast<std::int64_t>(rows[row].tokens.size()));
  return lengths;
}

Preflight summarise(const std::vector<EncodedRow>& rows, const RowSplit& split,
                    const TrainOptions& options) {
  Preflight seen;
  seen.rows = static_cast<std::int64_t>(rows.size());
  seen.validation_rows = static_cast<std::int64_t>(split.validation.size());
  for (const EncodedRow& row : rows) {
    const auto length = static_cast<std::int64_t>(row.tokens.size());
    seen.tokens += length;
    seen.supervised_tokens += row.supervised;
    seen.longest = std::max(seen.longest, length);
    if (row.truncated) ++seen.truncated_rows;
    if (row.supervised > 0) continue;
    ++seen.rows_without_loss;
    if (seen.ids_without_loss.size() < kShownIds) seen.ids_without_loss.emplace_back(row.id);
  }
  const std::vector<std::int64_t> lengths = lengths_of(rows, split.training);
  seen.steps = count_steps(lengths, options);
  if (options.packing) {
    seen.packed_sequences =
        static_cast<std::int64_t>(pack_best_fit(lengths, options.cutoff_len).size());
  }
  return seen;
}

std::string job_digest(const TrainJob& job) {
  std::string files = student_digest(job.model_dir);
  if (!job.optimizer_from.empty())
    files += digest_of_file(job.optimizer_from / "optimizer.safetensors");
  return hash_fields({options_text(job.options, job.io), rows_digest(job.examples), files});
}

}  // namespace tapir::student
