// A student: a decoder-only language model in a Hugging Face folder. Header target student_api: no
// torch here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "records/instruction.h"
#include "records/message.h"

namespace tapir::student {

// ---- generation ----

// Names as in transformers' GenerationConfig; max_new_tokens counts the end-of-sequence token.
struct SamplingParameters {
  double temperature = 0;  // 0: greedy
  double top_p = 1;
  int top_k = 0;  // 0: off
  int max_new_tokens = 256;
  std::uint64_t seed = 0;  // a row draws from the stream (seed, "generate", request id)
};

struct GenerateRequest {
  std::string id;
  Messages messages;   // through the chat format; empty: prompt is raw text
  std::string prompt;  // used when messages is empty
};

struct Generation {
  std::string id;
  std::string text;  // without the end-of-sequence token
  FinishReason finish_reason = FinishReason::stop;
  int prompt_tokens = 0;
  int completion_tokens = 0;  // the end-of-sequence token included
  std::string failure;        // "too_long": the prompt leaves no room in the context; else empty
};

struct GenerateOptions {
  SamplingParameters sampling;
  // Changes bits of results: how many rows a worker decodes together (fixed; empty slots are
  // padded).
  int slots = 16;
  // Speed only; 0: chosen by the number of requests and the size of the student.
  int workers = 0;  // that decode side by side, `slots` rows each
  int threads = 0;  // of one worker: they share out each step
};

// Called on the caller's thread, in any order, once per request.
using GenerationSink = std::function<void(Generation)>;

// ---- losses ----

struct TokenLosses {
  std::string id;
  std::vector<std::int32_t> tokens;  // supervised tokens, in order
  std::vector<float> logprobs;       // natural logarithm, one per token
  double loss = 0;                   // mean of -logprobs; NaN when there is no supervised token
};

// A loaded student. Thread-safe for reading: generate() and token_losses() may run side by side.
class Student {
 public:
  virtual ~Student() = default;
  virtual std::int64_t parameter_count() const = 0;
  virtual int context_length() const = 0;  // max_position_embeddings
  // Deterministic: a row's text depends on the row, the weights, `slots`, the CPU type and the
  // torch version only. After stop no new row is begun; rows in work are finished or left out.
  virtual void generate(std::span<const GenerateRequest> requests, const GenerateOptions& options,
                        const GenerationSink& sink, std::stop_token stop) const = 0;
  virtual std::vector<TokenLosses> token_losses(std::span<const Example> examples) const = 0;
  // Of `completion` after the raw text `prompt`, without the chat format: both tokenized apart,
  // begin of text as the folder's tokenizer has it. Error{data} when they do not fit in the
  // context.
  virtual TokenLosses completion_losses(const std::string& prompt,
                                        const std::string& completion) const = 0;
  // Ids of a text without the chat format; with add_special_tokens as the folder's tokenizer says.
  virtual std::vector<std::int32_t> tokenize(const std::string& text,
                                             bool add_special_tokens) const = 0;
  // Ids of a conversation, ready for the answer (add_generation_prompt).
  virtual std::vector<std::int32_t> tokenize_chat(const Messages& messages) const = 0;
};

// ---- training ----

// Changes results. Names as in Hugging Face / LLaMA-Factory where they exist.
struct TrainOptions {
  double learning_rate = 2e-5;
  std::string lr_scheduler_type = "cosine";  // cosine | linear | constant (all after warm-up)
  double warmup_ratio = 0.03;                // of schedule_total_steps
  double weight_decay = 0;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double max_grad_norm = 1.0;  // 0: off
  int cutoff_len = 2048;       // longer rows are truncated, and counted
  // An optimizer step holds either total_batch_size rows, or as many rows as fit in batch_tokens
  // (when not 0).
  int total_batch_size = 32;
  int batch_tokens = 0;
  // Length: num_train_epochs over the rows, unless max_steps (> 0) says otherwise; rows are gone
  // over again, in a new order, until the steps are done.
  double num_train_epochs = 3;
  std::int64_t max_steps = 0;
  // One schedule over several trainings (schedule_scope: run). 0: this training's own steps.
  std::int64_t schedule_total_steps = 0;
  std::int64_t schedule_first_step = 0;
  std::uint64_t seed = 42;  // order of rows: stream (seed, "train", epoch)
  int lanes = 2;            // gradients are summed over this many lanes in fixed order
  bool shuffle = true;      // false: rows in the order given (the first epoch and every other)
};

// Changes speed, files or what is shown, never weights.
struct TrainIo {
  std::int64_t save_steps = 0;  // a checkpoint every so many steps; 0: none but the end
  int save_total_limit = 2;     // older checkpoints are removed
  std::int64_t logging_steps = 10;
  std::filesystem::path metrics;  // metrics.jsonl to append to; empty: <output_dir>/metrics.jsonl
  std::string stage = "train";    // name shown in progress
  int micro_batch_tokens = 0;  // tokens of one forward pass of a lane; 0: chosen. Agrees to 1e-6,
                               // not bit for bit: therefore part of the fingerprint when set
  // Go on from a checkpoint that another CPU type or torch version made: the bits differ from then
  // on.
  bool allow_other_machine = false;
};

struct TrainJob {
  std::filesystem::path model_dir;  // where to start from
  std::filesystem::path
      output_dir;  // published whole at the end; work happens in <output_dir>.work
  std::filesystem::path
      optimizer_from;  // folder of a finished training whose optimizer state goes on; empty: fresh
  std::vector<Example> examples;
  TrainOptions options;
  TrainIo io;
};

// What a training would see, before it starts.
struct Preflight {
  std::int64_t rows = 0;
  std::int64_t truncated_rows = 0;
  std::int64_t rows_without_loss =
      0;                    // not one supervised token (after truncation): training refuses them
  std::int64_t tokens = 0;  // of one pass over the rows
  std::int64_t supervised_tokens = 0;
  std::int64_t longest = 0;
  std::int64_t steps = 0;
  std::vector<std::string> ids_without_loss;  // the first ten
};

struct TrainResult {
  std::int64_t steps = 0;
  std::int64_t tokens = 0;  // non-padding tokens through the optimizer
  std::int64_t supervised_tokens = 0;
  std::int64_t rows = 0;  // rows through the optimizer, repetitions counted
  double first_loss = 0;
  double last_loss = 0;
  double seconds = 0;
  bool finished = true;  // false: stopped; a checkpoint is in <output_dir>.work
};

// Makes and loads students. Thread-safe.
class StudentEngine {
 public:
  virtual ~StudentEngine() = default;
  // Error{data} naming file and reason when the folder is not a student that can be served.
  virtual std::shared_ptr<const Student> load(const std::filesystem::path& folder) const = 0;
  virtual Preflight preflight(const TrainJob& job) const = 0;
  // Goes on from the newest checkpoint in <output_dir>.work when that was made by the same job
  // (options and rows). Returns at once when output_dir is already finished by the same job. Stop:
  // saves a checkpoint and returns.
  virtual TrainResult train(const TrainJob& job, ProgressSink& progress,
                            std::stop_token stop) const = 0;
  // What enters the fingerprint: torch version, CPU type.
  virtual std::string version() const = 0;
};

// The engine of this build. Without libtorch (TAPIR_WITH_STUDENT=OFF): Error{usage} saying so.
std::shared_ptr<const StudentEngine> make_student_engine();

}  // namespace tapir::student
