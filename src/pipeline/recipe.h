// A recipe: what a run is to do. Every key is a row of the table in recipe_keys.cpp, from which
// parsing, the resolved recipe.yaml, the fingerprints and docs/recipe.md's table are made.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace tapir::pipeline {

// An OpenAI-compatible server of a role.
struct EndpointPart {
  std::string base_url;
  std::string api_key_env;          // name of the environment variable that holds the key; or empty
  double requests_per_minute = -1;  // below 0: as the role's
  double tokens_per_minute = -1;
};

// Who teaches or judges.
struct ModelPart {
  // gym | openai | recorded (teacher only) | answer_match, overlap, rubric (judge only) |
  // student: a folder, named by `model` (candidate only)
  std::string kind = "gym";
  std::string model;  // name at the endpoint, and in reports; empty: the kind's own
  double temperature = 0;
  double top_p = 1;
  std::int64_t max_tokens = 1024;
  // Dollars for a million tokens; negative: no price known.
  double price_input = -1;
  double price_cached_input = -1;
  double price_output = -1;
  double batch_discount = 0;  // share taken off these prices where mode is batch
  // Of endpoints.
  std::vector<EndpointPart> endpoints;
  std::string revision;
  std::string extra_body;  // JSON object, or empty
  // Speed only, from here on.
  std::string mode = "online";  // online | batch: asked by files of the Batch API
  std::int64_t max_concurrent_requests = 64;
  double requests_per_minute = 0;  // of each endpoint; 0: no limit but what it tells
  double tokens_per_minute = 0;
  std::int64_t max_retries = 10;
  double retry_delay = 1;  // seconds, and all below
  double connect_timeout = 10;
  double first_byte_timeout = 300;
  double request_timeout = 600;
  double outage_timeout = 120;
};

// A server of a role that the run starts itself.
struct ServerPart {
  std::string command;             // empty: none; the role is asked at its endpoints
  std::vector<std::int64_t> gpus;  // empty: resources.gpus
  std::string keep = "run";        // run | stage: how long it stays up once it was needed
  double memory_gb = 0;            // of each of its GPUs; 0: all of it
  double start_timeout = 600;      // seconds
};

// Whether asking it never costs anything, whatever its prices say.
bool is_free(const ModelPart& part);

// The entry "FILE: WORD" of a list of such, as {"FILE" without its folders, "WORD"}. Error{usage}
// naming the key, and what an entry looks like.
std::pair<std::string, std::string> file_entry(const std::string& entry, const std::string& key,
                                               const std::string& example);

// A way through the rounds. The main arm is "tapir".
struct Arm {
  std::string select =
      "hard";          // hard | random: as many rows of D at random instead of the hard ones
  bool expand = true;  // false: rows of D only
  bool expand_as_tapir = false;  // as many new rows as the main arm made in that round
  bool balance = true;           // meet the target shares; false: shares as they come
  std::string refine = "all";    // all | hard | none
  bool rejudge = false;  // score D and P_{r-1} again with S_{r-1} before every round but the first
};

struct Recipe {
  std::string name = "run";
  std::uint64_t seed = 42;

  struct {
    std::string model_name_or_path;  // relative paths: from the recipe's folder, then the installed
                                     // share folder
    std::string chat_format = "auto";  // student.template: of text::chat_format_names(), or found
                                       // from the folder's own template
    std::string s0 = "train";          // train | as_is | a student folder
    std::string device = "auto";       // of make_student_engine(); which one it comes to enters the
                                       // fingerprint by PlanFacts::machine
    double temperature = 0;
    double top_p = 1;
    std::int64_t top_k = 0;
    std::int64_t max_new_tokens = 256;
    std::int64_t slots = 16;
    std::int64_t workers = 0;  // speed only
    // Who computes the answers: native | command: servers that a command line starts.
    std::string backend = "native";
    std::string command;
    std::string served_model;          // what the servers are asked for; empty: what they list
    std::string gguf_outtype = "f16";  // of the file that {gguf} stands for
    // Speed only.
    std::int64_t servers = 1;
    std::int64_t max_concurrent_requests = 64;  // of each
    double start_timeout = 600;                 // seconds
  } student;

  struct {
    std::vector<std::string> instructions;           // files
    std::string responses = "keep";                  // keep | missing | reannotate
    std::int64_t gym_rows = 0;                       // > 0: the gym's pool instead of files
    std::int64_t held_out = 0;                       // rows of the files that are never trained on
    std::vector<std::string> decontaminate_against;  // evaluation sets: files
    std::vector<std::string> licenses;               // "FILE: LICENCE", for the data card
    bool clean_encoding = true;
    bool clean_refusals = true;
    double clean_rouge_l = 0;  // 0: off
    double clean_minhash = 0;  // 0: off
  } data;

  ModelPart teacher;
  struct {
    double error_rate = 0;
    double evolve_share = 0.3;
    double mutate_share = 0;
  } teacher_gym;

  ModelPart judge;
  std::string judge_orders = "adaptive";  // adaptive | both | single
  std::int64_t judge_max_attempts = 3;
  std::vector<std::string> judge_by_source;  // "FILE: KIND", by rule; other rows: judge.kind
  struct {
    std::string role = "none";  // none | teacher | auditor: who judges a sample again
    std::int64_t rows = 200;
  } judge_audit;
  struct {
    std::string role = "none";  // none | teacher | auditor: who confirms what code cannot check
  } judge_rubric;
  ModelPart auditor;
  ModelPart candidate;  // the model that a benchmark asks
  struct {
    double noise = 0;
    double position_bias = 0;
    double length_bias = 0;
    double malformed_rate = 0;
  } judge_gym;

  struct {
    std::string method = "mfd";  // mfd | ifd
    double threshold = 2.0;
    bool strict = true;
    std::optional<double> max_gap;
    double ifd_share = 0.1;
    std::int64_t rows = 0;  // 0: all of D
    std::int64_t pilot_rows = 1000;
    bool cross_fit = false;  // answers of each half of D by an S_0 that was trained on the other
    std::int64_t held_out_rows = 0;  // rows outside D judged too, to see what S_0 memorised
  } difficulty;

  struct {
    std::string taxonomy = "tapir33";
    std::string classifier = "light";  // light | llm | given
    std::int64_t label_rows = 3000;    // light: labelled by the teacher first
    std::string labelled;              // light: rows with tasks to learn from instead; a file
    std::string label_field = "task";  // of its rows
  } tasks;

  struct {
    std::string prompts;  // folder of own templates; empty: built in
    std::int64_t max_attempts_per_row = 3;
    std::int64_t layers = 0;  // requirements of form in every new instruction
    struct {
      std::int64_t rows = 0;  // new ones of each task and round that are judged; 0: none
      double score = 6;       // mean of the teacher's answers that a task has to reach
    } floor;
  } teach;

  // Of expanded instructions, where they are not the gym's.
  struct {
    double rouge_l = 0.7;
    double minhash = 0;  // 0: off
    std::int64_t min_characters = 10;
    std::int64_t max_characters = 8000;
  } novelty;

  Arm tapir;                        // the main arm: its keys stand under `teach` and `curriculum`
  std::map<std::string, Arm> arms;  // beside it

  struct {
    std::int64_t rounds = 3;
    double alpha = 0.3;
    double alpha_step = 0.2;
    std::int64_t rows = 0;                 // of all rounds; 0: as many as D has
    std::string forgetting_gate = "warn";  // off | warn | stop | fall_back | replay
    double forgetting_tolerance = 0.1;
    double forgetting_replay = 0.2;  // replay: how much more of the easy rows, each time
  } curriculum;

  struct TrainPart {
    double learning_rate = 2e-5;
    std::string lr_scheduler_type = "cosine";
    double warmup_ratio = 0.03;
    double weight_decay = 0;
    double adam_beta1 = 0.9;
    double adam_beta2 = 0.999;
    double adam_epsilon = 1e-8;
    double max_grad_norm = 1.0;
    std::int64_t cutoff_len = 2048;
    std::int64_t total_batch_size = 32;
    std::int64_t batch_tokens = 0;
    double num_train_epochs = 3;
    std::int64_t tokens = 0;               // through the optimizer, over all rounds; 0: by epochs
    std::string schedule_scope = "round";  // round | run
    std::int64_t lanes = 2;
    bool packing = false;
    double val_size = 0;
    std::string finetuning_type = "full";  // full | lora
    std::int64_t lora_rank = 8;
    double lora_alpha = 0;  // 0: twice the rank
    double lora_dropout = 0;
    bool use_rslora = false;
    std::string lora_target = "all";
    std::string optim_state_dtype = "float32";  // float32 | bfloat16
    std::string save_dtype = "auto";            // auto | float32 | bfloat16 | float16
    bool bf16 = false;
    bool gradient_checkpointing = false;  // memory only
    std::int64_t eval_steps = 0;          // shown only
    std::int64_t save_steps = 0;          // files only
    std::int64_t save_total_limit = 2;    // files only
    std::int64_t logging_steps = 10;      // files only
    std::int64_t micro_batch_tokens = 0;  // of one pass; 0: chosen
    std::string between_rounds = "keep";  // lora: keep | merge
    // Who trains: native | trl | llamafactory | none.
    std::string backend = "native";
    std::int64_t processes = 1;     // of a job that share a step
    std::string sharding = "none";  // none | fsdp | zero3
    // Where and how it is started.
    std::string python = "python3";
    std::string launch;  // command template; empty: here
    std::int64_t max_restarts = 1;
  } train;
  // Of S_0; what is not set is as in `train`.
  struct {
    std::optional<double> learning_rate;
    std::optional<double> num_train_epochs;
    std::int64_t tokens = 0;
  } s0_train;

  struct {
    std::int64_t uniform = 2000;
    std::int64_t pool = 500;
    std::int64_t beyond = 320;
    std::string part = "test";  // test | dev
  } exam;
  // Files that every student answers too: what the rounds break shows there.
  struct {
    std::vector<std::string> general;      // abilities that the rounds do not teach
    std::vector<std::string> instruction;  // instructions of other kinds
    std::vector<std::string> safety;       // requests to be refused
    bool any() const { return !general.empty() || !instruction.empty() || !safety.empty(); }
  } sets;

  // What students of the run answer at its end.
  struct {
    std::vector<std::string> students = {"s0", "final"};  // and arms by name
    std::string judge = "judge";                          // judge | auditor | teacher
    struct {
      std::string data_dir;       // upstream's files; empty: not run
      std::string template_file;  // evaluate.alpaca_eval.template; empty: data_dir's, else ours
      bool logprobs = true;
      std::int64_t max_new_tokens = 2048;
    } alpaca_eval;
    struct {
      std::string data_dir;                 // FastChat's layout; empty: not run
      std::string references = "official";  // official | questions | none | a file
      std::string judge_prompts;            // judge_prompts.jsonl; empty: ours
      std::int64_t max_new_tokens = 1024;
    } mt_bench;
    bool any() const { return !alpaca_eval.data_dir.empty() || !mt_bench.data_dir.empty(); }
  } benchmarks;

  struct {
    double max_usd = 0;           // 0: no cap
    std::int64_t max_tokens = 0;  // 0: no cap
    std::string book_requests =
        "auto";  // auto | always: book before sending; auto: where endpoints cost money
  } budget;

  // Where things are computed, and when servers are up: speed only. GPUs by their CUDA index.
  struct {
    std::vector<std::int64_t> gpus;  // that the run may use; empty: all
    struct {
      std::vector<std::int64_t> gpus;  // empty: resources.gpus
    } train;
    struct {
      std::vector<std::int64_t> gpus;
      double memory_gb = 0;  // of each; 0: of servers all of it, of the native engine the weights
    } answers;
    ServerPart teacher, judge, auditor;
  } resources;

  // Where it was read from; relative paths are looked up from here.
  std::filesystem::path folder;
};

// Names of the files that judge.by_source has judged by rule. Error{usage} as file_entry().
std::set<std::string> files_judged_by_rule(const Recipe& recipe);

// Whether somebody described under `auditor` is asked.
bool asks_auditor(const Recipe& recipe);

// One row of the table: how a key is shown and what it changes.
struct KeyInfo {
  std::string path;      // "train.learning_rate"; arms: "arms.<name>.select"
  std::string type;      // "number", "integer", "text", "yes or no", "list of text"
  std::string fallback;  // default, as YAML
  std::string help;
  bool changes_results = true;  // enters the fingerprint
  bool silent_default = false;  // but not at its default
};
std::vector<KeyInfo> recipe_keys();

// Whether the items are the gym's: from its pool, or files that its teacher knows.
bool in_gym(const Recipe& recipe);

// Reads a recipe, then sets `overrides` ("train.learning_rate=1e-5"); ${NAME} in text values is
// taken from the environment. Error{usage} with file:line and key: unknown keys (with the nearest),
// wrong types, impossible values.
Recipe load_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides);
// The same from text; `where` stands for the file's name.
Recipe parse_recipe(const std::string& yaml, const std::string& where,
                    const std::filesystem::path& folder, const std::vector<std::string>& overrides);

// The settings of a command on files: a recipe's, when there is one (file not empty), and
// overrides. What only a whole run needs, a student and data, may be missing.
Recipe load_settings(const std::filesystem::path& file, const std::vector<std::string>& overrides);

// Every key with its value, in the table's order: recipe.yaml of a run.
std::string to_yaml(const Recipe& recipe);

// "key=value" lines of every key under the prefixes that changes results, without those under a
// prefix that is written with an exclamation mark ("!judge.audit"): what a stage's
// fingerprint is made of.
std::string fingerprint_text(const Recipe& recipe, const std::vector<std::string>& prefixes);

}  // namespace tapir::pipeline
