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
  std::vector<std::int32_t> tokens;  // as they came, without the end-of-sequence token
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
  // For people: the chat format that was found, and the file whose template says so; empty: none.
  virtual std::string chat_format() const { return {}; }
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

// Of finetuning_type lora: pairs of small matrices beside frozen weights, in PEFT's layout.
struct LoraOptions {
  int lora_rank = 8;
  double lora_alpha = 0;            // 0: twice the rank
  double lora_dropout = 0;          // [0, 1)
  bool use_rslora = false;          // scale by alpha / sqrt(rank) instead of alpha / rank
  std::string lora_target = "all";  // every linear layer of the decoder; or names: "q_proj,v_proj"
};

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
  int lanes = 2;            // gradients are summed over this many lanes in fixed order; on the CPU
  bool shuffle = true;      // false: rows in the order given (the first epoch and every other)
  // The rows that `seed` would train on, epoch by epoch and in as many steps, in an order of their
  // own: stream (order_seed, "train", epoch). All other draws stay those of `seed`.
  std::optional<std::uint64_t> order_seed;
  // Rows are packed by best fit into sequences of cutoff_len tokens, and total_batch_size counts
  // those. A row still sees itself only, and its positions begin at 0.
  bool packing = false;
  // Rows held out for the evaluation loss: a share when below 1, else a number. Drawn from the
  // stream (seed, "validation").
  double val_size = 0;
  std::string finetuning_type = "full";  // full | lora
  LoraOptions lora;
  // How AdamW's two moments are kept. bfloat16 is rounded at random (from a stream of its own), so
  // that small updates are not lost on average.
  std::string optim_state_dtype = "float32";  // float32 | bfloat16
  // How the finished weights are stored: float32 | bfloat16 | float16 (rounded to nearest), or
  // "auto": a whole student as its base's config.json says, an adapter as float32. Checkpoints are
  // exact whatever it is.
  std::string save_dtype = "auto";
  // Matrix products in bfloat16 with fp32 sums, on a GPU norms and the residual stream too; weights
  // stay fp32.
  bool bf16 = false;
  // Of text::chat_format_names(), or "auto": found from the folder's own template. A named one is
  // written into the trained folder.
  std::string chat_format = "auto";
};

// Changes speed, files or what is shown, never weights.
struct TrainIo {
  std::int64_t save_steps = 0;  // a checkpoint every so many steps; 0: none but the end
  int save_total_limit = 2;     // older checkpoints are removed
  std::int64_t logging_steps = 10;
  std::filesystem::path metrics;  // metrics.jsonl to append to; empty: <output_dir>/metrics.jsonl
  std::filesystem::path logging_dir;  // TensorBoard event files; empty: <output_dir>/runs
  std::string stage = "train";        // name shown in progress
  std::int64_t eval_steps = 0;  // with val_size: the evaluation loss every so many steps; 0: at the
                                // end only
  bool gradient_checkpointing = false;  // keep each layer's input only, compute the rest twice:
                                        // less memory, a third more work, the same bits
  std::int64_t memory_limit = 0;  // bytes that may be in use, of the GPU when it computes there; 0:
                                  // what the system allows
  // Folder in which rows are kept as tokens, to be found again by the same data, tokenizer, chat
  // format and cutoff_len; empty: nowhere.
  std::filesystem::path token_cache;
  int micro_batch_tokens = 0;  // tokens of one forward pass of a lane, or of the device; 0: chosen.
                               // Agrees to 1e-6, not bit for bit: therefore part of the fingerprint
                               // when set
  // Go on from a checkpoint that another CPU type, device or torch version made: the bits differ
  // from then on.
  bool allow_other_machine = false;
};

class Collective;  // student/collective.h

struct TrainJob {
  std::filesystem::path model_dir;  // where to start from
  std::filesystem::path
      output_dir;  // published whole at the end; work happens in <output_dir>.work
  std::filesystem::path
      optimizer_from;  // folder of a finished training whose optimizer state goes on; empty: fresh
  std::vector<Example> examples;
  TrainOptions options;
  TrainIo io;
  // The processes that train this very job together, each on its share of every step's rows; null:
  // this one alone. Sums are taken in another order, so results agree with one process to 1e-6, not
  // bit for bit. Only rank 0 writes files and reports; its checkpoints are those of one process.
  std::shared_ptr<Collective> ranks;
};

// Bytes that a training will take at its peak, before it starts: of the machine's memory, or of the
// GPU's when it computes there.
struct MemoryPlan {
  std::string device = "cpu";           // whose memory: cpu, torch-cpu, cuda:<n>
  std::int64_t process = 0;             // what is in use already: program, libraries, rows
  std::int64_t weights = 0;             // of the student, and of the adapter
  std::int64_t gradients = 0;           // one array per lane
  std::int64_t optimizer = 0;           // AdamW's moments
  std::int64_t activations = 0;         // of the largest passes of all lanes
  std::int64_t micro_batch_tokens = 0;  // of one pass
  std::int64_t limit = 0;               // what may be in use; 0: not known
  std::int64_t total() const { return process + weights + gradients + optimizer + activations; }
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
  std::int64_t validation_rows = 0;           // of `rows`: held out by val_size
  std::int64_t packed_sequences = 0;          // with packing: of one pass over the rows
  std::vector<std::string> ids_without_loss;  // the first ten
  std::int64_t parameters = 0;                // of the student, without an adapter
  std::int64_t trained_parameters = 0;        // of them, or of the adapter
  std::int64_t output_bytes = 0;              // of the finished folder: weights and optimizer state
  MemoryPlan memory;
  std::string chat_format;  // as found, and in what it differs from its row
};

// A row as training sees it, token by token.
struct PreviewToken {
  std::int32_t id = 0;
  std::string text;  // of this token alone
  bool loss = false;
};
struct PreviewRow {
  std::string id;
  std::vector<PreviewToken> tokens;
  bool truncated = false;
};

struct TrainResult {
  std::int64_t steps = 0;
  std::int64_t tokens = 0;  // non-padding tokens through the optimizer
  std::int64_t supervised_tokens = 0;
  std::int64_t rows = 0;  // rows through the optimizer, repetitions counted
  double first_loss = 0;
  double last_loss = 0;
  double seconds = 0;
  std::optional<double> eval_loss;  // the last one, with val_size
  bool finished = true;             // false: stopped; a checkpoint is in <output_dir>.work
};

// ---- trainings that another program does ----

// A row as a training sees it, cut to cutoff_len.
struct TrainRow {
  std::string id;
  Messages messages;
  std::vector<std::int32_t> tokens;
  std::vector<std::uint8_t> loss;  // 1: learnt; never the first token; same length as tokens
};

struct TrainStep {
  std::vector<std::size_t> rows;  // of TrainSteps::rows
  double learning_rate = 0;
};

// All that a training does, step by step: who follows it learns what train() would, up to the
// rounding of sums.
struct TrainSteps {
  std::vector<TrainRow> rows;  // in the order of the job's examples
  std::vector<TrainStep> steps;
  std::vector<std::size_t> validation;  // rows held out by val_size
  std::int64_t tokens = 0;              // through the optimizer, repetitions counted
  std::int64_t supervised_tokens = 0;   // likewise
  std::int64_t row_count = 0;           // likewise
  // The folder to start from: a whole student, or an adapter beside `base`.
  std::filesystem::path start;
  std::filesystem::path base;  // config.json and frozen weights; without an adapter: as start
  bool is_adapter = false;
  std::string digest;  // of all that decides the trained weights
};

// A step that another program took.
struct StepTaken {
  std::int64_t step = 0;  // from 1
  double loss = 0;        // mean over the step's supervised tokens
  double learning_rate = 0;
  double grad_norm = 0;  // 0: not known
  std::int64_t tokens = 0;
  std::int64_t supervised_tokens = 0;
  std::int64_t rows = 0;
};

// What came back.
struct TrainedElsewhere {
  // A whole student, or an adapter; optimizer.safetensors beside it where AdamW's moments are
  // carried on (names "m.<parameter>" and "v.<parameter>").
  std::filesystem::path folder;
  std::string version;  // of who trained it
  TrainResult result;
  std::vector<StepTaken> steps;  // for the metrics; may be empty
};

// Makes and loads students. Thread-safe.
class StudentEngine {
 public:
  virtual ~StudentEngine() = default;
  // Error{data} naming file and reason when the folder is not a student that can be served.
  virtual std::shared_ptr<const Student> load(const std::filesystem::path& folder) const = 0;
  virtual Preflight preflight(const TrainJob& job) const = 0;
  // The first `rows` rows of a job, in the order given.
  virtual std::vector<PreviewRow> preview(const TrainJob& job, std::size_t rows) const {
    (void)job;
    (void)rows;
    return {};
  }
  // Goes on from the newest checkpoint in <output_dir>.work when that was made by the same job
  // (options and rows). Returns at once when output_dir is already finished by the same job. Stop:
  // saves a checkpoint and returns.
  virtual TrainResult train(const TrainJob& job, ProgressSink& progress,
                            std::stop_token stop) const = 0;
  // What train() would do. `start`: a folder that is written when the job starts from what no
  // folder holds yet: a fresh adapter, or weights with an adapter merged in. Errors as those of
  // train().
  virtual TrainSteps steps(const TrainJob& job, const std::filesystem::path& start) const;
  // The result of this very job, when output_dir holds it already.
  virtual std::optional<TrainResult> finished(const TrainJob& job) const;
  // Publishes what another program trained as output_dir, as train() would have: its weights beside
  // the words and configuration that the job began with, so that nothing else changes. `look` may
  // refuse the folder before it is published. Error{data} that says what is wrong with it: another
  // vocabulary or architecture, weights that are missing or not finite, or that were not changed.
  virtual void take_over(const TrainJob& job, const TrainedElsewhere& trained,
                         const std::function<void(const std::filesystem::path&)>& look) const;
  // What enters the fingerprint: torch version, CPU type, and the device when it is another.
  virtual std::string version() const = 0;
};

// The engine of this build. device: auto (a GPU when one can be used, else the CPU) | cpu | cuda |
// cuda:<n>; it changes bits of results. Error{usage} that says what is missing when it cannot be
// used; without libtorch (TAPIR_WITH_STUDENT=OFF) saying so.
// dtype: of the products when a student answers or scores. auto: on the CPU float32, whatever the
// weights are stored in; on a GPU bfloat16 for students stored in half precision. float32: the CPU
// alone. bfloat16: on the CPU too, which has to have units for it; weights and what they are
// multiplied with are rounded, sums are fp32. Training does not heed it.
std::shared_ptr<const StudentEngine> make_student_engine(const std::string& device = "cpu",
                                                         const std::string& dtype = "auto");

// One line for people: the GPUs that can be used, or why none can.
std::string describe_gpus();

}  // namespace tapir::student
