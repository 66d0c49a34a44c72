#include "pipeline/recipe_keys.h"

#include "pipeline/recipe_table.h"
#include "rubric/compose.h"
#include "student/gguf_export.h"

namespace tapir::pipeline {
namespace {

// A field as an lvalue of its owner.
#define FIELD(path) ([](Recipe & r) -> auto& { return (r.path); })
#define ARM(path) ([](Arm & a) -> auto& { return (a.path); })

const Range kAny{}, kPositive{0, kInfinity, /*low_open=*/true};
const Range kNotNegative{0, kInfinity};
const Range kShare{0, 1};
const Range kAtLeastOne{1, kInfinity};

void add_student_and_data(Table<Recipe>& t) {
  t.text("name", FIELD(name), {}, "name of the run, in reports", /*results=*/false)
      .whole("seed", FIELD(seed), kNotNegative,
             "every draw of the run comes from streams named by it")
      .text("student.model_name_or_path", FIELD(student.model_name_or_path), {},
            "Hugging Face folder to start from")
      .text("student.template", FIELD(student.chat_format), {},
            "chat format of the students; auto: found from the folder's own template")
      .text("student.s0", FIELD(student.s0), {},
            "train | as_is (an instruct model) | a folder: what S_0 is")
      .text("student.device", FIELD(student.device), {},
            "auto (a GPU where one can be used) | cpu | cuda | cuda:<n>: where students train and "
            "answer; to go on elsewhere needs --allow-other-machine")
      .real("student.generation.temperature", FIELD(student.temperature), kNotNegative, "0: greedy")
      .real("student.generation.top_p", FIELD(student.top_p), {0, 1, true}, "nucleus sampling")
      .whole("student.generation.top_k", FIELD(student.top_k), kNotNegative, "0: off")
      .whole("student.generation.max_new_tokens", FIELD(student.max_new_tokens), kAtLeastOne,
             "longest answer; a longer one is cut, judged and flagged")
      .whole("student.generation.slots", FIELD(student.slots), {1, 1024},
             "rows that a worker decodes together")
      .whole("student.generation.workers", FIELD(student.workers), {0, 1024}, "0: one per core",
             /*results=*/false)
      .text("student.generation.backend", FIELD(student.backend), {"native", "command"},
            "who computes the students' answers: this program, or servers that a command starts")
      .silent_default()
      .text(
          "student.generation.command", FIELD(student.command), {},
          "command: starts an OpenAI-compatible server; slots {model} (the folder), {name}, {gguf} "
          "(a GGUF file of it), {host}, {port}")
      .silent_default()
      .text("student.generation.model", FIELD(student.served_model), {},
            "command: what the servers are asked for, with the same slots; not set: what they list")
      .silent_default()
      .text("student.generation.gguf_outtype", FIELD(student.gguf_outtype),
            student::gguf_outtypes(), "how matrices are stored in the file that {gguf} stands for")
      .silent_default()
      .whole("student.generation.servers", FIELD(student.servers), {1, 64},
             "command: how many are started; they share the rows", /*results=*/false)
      .whole("student.generation.max_concurrent_requests", FIELD(student.max_concurrent_requests),
             {1, 4096}, "command: requests that each server gets at a time", /*results=*/false)
      .real("student.generation.start_timeout", FIELD(student.start_timeout), {0, 86400, true},
            "command: seconds until the servers have to be healthy", /*results=*/false)
      .list("data.instructions", FIELD(data.instructions),
            "files of instructions: Alpaca, messages, ShareGPT, JSON or JSONL")
      .text("data.responses", FIELD(data.responses), {"keep", "missing", "reannotate"},
            "answers of D: as the files have them, filled in where missing, or all by the teacher")
      .whole("data.gym.rows", FIELD(data.gym_rows), kNotNegative,
             "rows of the gym's pool; 0: files")
      .whole(
          "data.held_out", FIELD(data.held_out), kNotNegative,
          "rows of the files, drawn by the seed, that nobody is trained on: every student's exam")
      .list("data.decontaminate_against", FIELD(data.decontaminate_against),
            "evaluation sets: rows that hold one of their items are left out, expanded ones too")
      .flag("data.clean.encoding", FIELD(data.clean_encoding),
            "leave out rows with broken characters")
      .flag("data.clean.refusals", FIELD(data.clean_refusals),
            "leave out rows whose answer refuses, unless all answers are re-annotated")
      .real("data.clean.rouge_l", FIELD(data.clean_rouge_l), kShare,
            "leave out rows so like one before them; 0: off")
      .real("data.clean.minhash", FIELD(data.clean_minhash), kShare,
            "the same by shared word sequences, estimated; 0: off")
      .list("data.licenses", FIELD(data.licenses), "\"FILE: LICENCE\", for the data card",
            /*results=*/false);
}

using Part = ModelPart Recipe::*;

// Where a model is asked, and as what.
void add_endpoints(Table<Recipe>& t, const std::string& role, Part part) {
  const std::string endpoints = role + ".endpoints";
  t.add(
      {endpoints, "list of endpoints", "",
       "kind openai: where the " + role +
           " is asked, each {base_url, api_key_env, "
           "requests_per_minute, tokens_per_minute}",
       /*changes_results=*/false},
      [=](Recipe& r, const YAML::Node& n) { (r.*part).endpoints = read_endpoints(n, endpoints); },
      [=](const Recipe& r) { return show_endpoints((r.*part).endpoints); });
  t.text(
      role + ".revision", [part](Recipe & r) -> auto& { return (r.*part).revision; }, {},
      "change it when another model answers to the same name");
  const std::string extra = role + ".extra_body";
  t.add(
      {extra, "section of fields", "", "merged into the body of every request; null takes one out"},
      [=](Recipe& r, const YAML::Node& n) { (r.*part).extra_body = read_extra_body(n, extra); },
      [=](const Recipe& r) { return quote((r.*part).extra_body); });
}

// How fast it is asked, and how patiently.
void add_pace(Table<Recipe>& t, const std::string& role, Part part) {
  const auto field = [part](auto ModelPart::*member) {
    return [ part, member ](Recipe & r) -> auto& { return r.*part.*member; };
  };
  t.whole(role + ".max_concurrent_requests", field(&ModelPart::max_concurrent_requests),
          kAtLeastOne, "requests in flight", /*results=*/false)
      .real(role + ".requests_per_minute", field(&ModelPart::requests_per_minute), kNotNegative,
            "of each endpoint; 0: no limit but what it tells", /*results=*/false)
      .real(role + ".tokens_per_minute", field(&ModelPart::tokens_per_minute), kNotNegative,
            "of each endpoint; 0: no limit but what it tells", /*results=*/false)
      .whole(role + ".max_retries", field(&ModelPart::max_retries), {0, 1000},
             "of one request, after failures that may pass", /*results=*/false)
      .real(role + ".retry_delay", field(&ModelPart::retry_delay), kNotNegative,
            "seconds before the first retry; doubles, up to a minute", /*results=*/false)
      .real(role + ".connect_timeout", field(&ModelPart::connect_timeout), kPositive, "seconds",
            /*results=*/false)
      .real(role + ".first_byte_timeout", field(&ModelPart::first_byte_timeout), kPositive,
            "seconds from the request to the first byte of its reply", /*results=*/false)
      .real(role + ".request_timeout", field(&ModelPart::request_timeout), kPositive,
            "seconds for all of a request", /*results=*/false)
      .real(role + ".outage_timeout", field(&ModelPart::outage_timeout), kPositive,
            "seconds without a working endpoint until the run stops", /*results=*/false);
}

// The keys that teacher and judge share.
void add_model(Table<Recipe>& t, const std::string& role, Part part,
               const std::vector<std::string>& kinds, const std::string& help) {
  const auto field = [part](auto ModelPart::*member) {
    return [ part, member ](Recipe & r) -> auto& { return r.*part.*member; };
  };
  const std::string price = role + ".price_per_million.";
  t.text(role + ".kind", field(&ModelPart::kind), kinds, help)
      .text(role + ".model", field(&ModelPart::model), {},
            "name of the " + role + " at its endpoint, and in reports")
      .real(role + ".temperature", field(&ModelPart::temperature), kNotNegative,
            "of the " + role + "'s sampling")
      .real(role + ".top_p", field(&ModelPart::top_p), {0, 1, true},
            "of the " + role + "'s sampling")
      .whole(role + ".max_tokens", field(&ModelPart::max_tokens), kAtLeastOne,
             "longest reply of the " + role)
      .real(price + "input", field(&ModelPart::price_input), kAny, "dollars; below 0: no price",
            /*results=*/false)
      .real(price + "cached_input", field(&ModelPart::price_cached_input), kAny, "dollars",
            /*results=*/false)
      .real(price + "output", field(&ModelPart::price_output), kAny, "dollars", /*results=*/false)
      .real(price + "batch_discount", field(&ModelPart::batch_discount), kShare,
            "share taken off these prices where mode is batch", /*results=*/false)
      .text(role + ".mode", field(&ModelPart::mode), {"online", "batch"},
            "batch: asked by files of the Batch API", /*results=*/false);
  add_endpoints(t, role, part);
  add_pace(t, role, part);
}

void add_models(Table<Recipe>& t) {
  add_model(t, "teacher", &Recipe::teacher, {"gym", "openai", "recorded"},
            "who teaches; openai: endpoints of that API; recorded: the answers the data brings");
  t.real("teacher.gym.error_rate", FIELD(teacher_gym.error_rate), kShare, "share of wrong answers")
      .real("teacher.gym.evolve_share", FIELD(teacher_gym.evolve_share), kShare,
            "of expansions: one level up")
      .real("teacher.gym.mutate_share", FIELD(teacher_gym.mutate_share), kShare,
            "of expansions: another family");
  add_model(t, "judge", &Recipe::judge, {"gym", "openai", "answer_match", "overlap", "rubric"},
            "answer_match, overlap: by the teacher's answer; rubric: by the rows' requirements");
  t.text("judge.orders", FIELD(judge_orders), {"adaptive", "both", "single"},
         "in which orders a pair is judged")
      .whole("judge.max_attempts", FIELD(judge_max_attempts), {1, 20},
             "asked so often while it cannot be read")
      .list(
          "judge.by_source", FIELD(judge_by_source),
          "\"FILE: answer_match\" or \"FILE: overlap\": rows of that file are judged by rule, the "
          "others by judge.kind")
      .text("judge.audit.role", FIELD(judge_audit.role), {"none", "teacher", "auditor"},
            "who judges a sample again, to see whether the judge can be trusted")
      .whole("judge.audit.rows", FIELD(judge_audit.rows), kAtLeastOne,
             "rows of that sample, drawn by id; judged in both orders")
      .text("judge.rubric.role", FIELD(judge_rubric.role), {"none", "teacher", "auditor"},
            "rubric: who confirms the requirements that code cannot check")
      .real("judge.gym.noise", FIELD(judge_gym.noise), kNotNegative,
            "standard deviation added to each score")
      .real("judge.gym.position_bias", FIELD(judge_gym.position_bias), kAny,
            "added to the answer shown first")
      .real("judge.gym.length_bias", FIELD(judge_gym.length_bias), kAny, "added per 100 characters")
      .real("judge.gym.malformed_rate", FIELD(judge_gym.malformed_rate), kShare,
            "share of unreadable replies");
  add_model(t, "auditor", &Recipe::auditor, {"gym", "openai"},
            "the second opinion that judge.audit.role and judge.rubric.role may ask for");
  add_model(t, "candidate", &Recipe::candidate, {"gym", "openai", "student"},
            "whom `tapir eval` asks for answers; student: the folder that candidate.model names");
}

void add_method(Table<Recipe>& t) {
  t.text("difficulty.method", FIELD(difficulty.method), {"mfd", "ifd"},
         "mfd: the judge compares S_0's answer with the teacher's; ifd: S_0's losses, no judge")
      .real("difficulty.threshold", FIELD(difficulty.threshold), {-9, 9},
            "delta: hard when teacher - student is above")
      .flag("difficulty.strict", FIELD(difficulty.strict),
            "true: above delta; false: at least delta")
      .maybe("difficulty.max_gap", FIELD(difficulty.max_gap), {-9, 9},
             "ceiling on the gap: rows no student can reach")
      .real("difficulty.ifd_share", FIELD(difficulty.ifd_share), {0, 1, true},
            "ifd: share of the rows with the highest ratio below 1 that is hard")
      .whole("difficulty.rows", FIELD(difficulty.rows), kNotNegative,
             "rows of D to judge, drawn by id; 0: all")
      .whole("difficulty.pilot_rows", FIELD(difficulty.pilot_rows), kAtLeastOne,
             "adaptive: judged in both orders first")
      .flag("difficulty.cross_fit", FIELD(difficulty.cross_fit),
            "true: two more S_0, each trained on one half of D, answer the other half")
      .whole("difficulty.held_out_rows", FIELD(difficulty.held_out_rows), kNotNegative,
             "rows outside D that are judged too, to show what S_0 memorised; of files: of "
             "data.held_out")
      .text("tasks.taxonomy", FIELD(tasks.taxonomy), {}, "tapir33 | gym | a YAML file")
      .text("tasks.classifier", FIELD(tasks.classifier), {"light", "llm", "given"},
            "who finds the task of a row")
      .whole("tasks.label_rows", FIELD(tasks.label_rows), {10, kInfinity},
             "light: rows that the teacher labels first")
      .text("tasks.labelled", FIELD(tasks.labelled), {},
            "light: a file of labelled rows to learn from; nobody is asked")
      .text("tasks.label_field", FIELD(tasks.label_field), {},
            "where a row of that file has its task")
      .text("teach.prompts", FIELD(teach.prompts), {}, "folder of own prompt templates")
      .whole("teach.max_attempts_per_row", FIELD(teach.max_attempts_per_row), {1, 100},
             "requests per new row needed")
      .whole("teach.layers", FIELD(teach.layers), {0, rubric::kMostLayers},
             "requirements of form that every new instruction asks for; 0: none")
      .whole("teach.floor.rows", FIELD(teach.floor.rows), kNotNegative,
             "new rows of each task and round, drawn by id, whose pairs are judged; 0: none")
      .real("teach.floor.score", FIELD(teach.floor.score), {1, 10},
            "mean score that a task's new answers have to reach; 1: shown only")
      .real("teach.novelty.rouge_l", FIELD(novelty.rouge_l), kShare,
            "a new instruction stays below this likeness to everything known; 0: off")
      .real("teach.novelty.minhash", FIELD(novelty.minhash), kShare,
            "and below this share of common word sequences, estimated; 0: off")
      .whole("teach.novelty.min_characters", FIELD(novelty.min_characters), kNotNegative,
             "shorter new instructions are refused")
      .whole("teach.novelty.max_characters", FIELD(novelty.max_characters), kAtLeastOne,
             "longer new instructions are refused")
      .flag("teach.expand", FIELD(tapir.expand), "new instructions by the teacher")
      .text("teach.refine", FIELD(tapir.refine), {"all", "hard", "none"},
            "which rows are answered again in their task's style")
      .text("teach.select", FIELD(tapir.select), {"hard", "random"},
            "random: as many rows at random (an ablation)")
      .flag("teach.balance", FIELD(tapir.balance), "meet the taxonomy's shares")
      .whole("curriculum.rounds", FIELD(curriculum.rounds), {1, 100}, "N")
      .real("curriculum.alpha", FIELD(curriculum.alpha), kShare, "share of hard rows in round 1")
      .real("curriculum.alpha_step", FIELD(curriculum.alpha_step), kShare, "added every round")
      .whole("curriculum.rows", FIELD(curriculum.rows), kNotNegative,
             "of all rounds together; 0: as many as D has")
      .flag("curriculum.rejudge", FIELD(tapir.rejudge),
            "score D and P again with the newest student before a round")
      .text("curriculum.forgetting_gate", FIELD(curriculum.forgetting_gate),
            {"off", "warn", "stop", "fall_back", "replay"},
            "when a round made a set fall below its best; fall_back: the next one starts from the "
            "best student; replay: later ones hold more easy rows")
      .real("curriculum.forgetting_tolerance", FIELD(curriculum.forgetting_tolerance), kShare,
            "accuracy it may fall")
      .real("curriculum.forgetting_replay", FIELD(curriculum.forgetting_replay), kShare,
            "replay: taken from the share of hard rows of all later rounds, each time");
}

void add_training(Table<Recipe>& t) {
  t.real("train.learning_rate", FIELD(train.learning_rate), kPositive, "AdamW's peak rate")
      .text("train.lr_scheduler_type", FIELD(train.lr_scheduler_type),
            {"cosine", "linear", "constant"}, "after warm-up")
      .real("train.warmup_ratio", FIELD(train.warmup_ratio), kShare, "of the schedule's steps")
      .real("train.weight_decay", FIELD(train.weight_decay), kNotNegative, "AdamW")
      .real("train.adam_beta1", FIELD(train.adam_beta1), kShare, "AdamW")
      .real("train.adam_beta2", FIELD(train.adam_beta2), kShare, "AdamW")
      .real("train.adam_epsilon", FIELD(train.adam_epsilon), kPositive, "AdamW")
      .real("train.max_grad_norm", FIELD(train.max_grad_norm), kNotNegative, "clipping; 0: off")
      .whole("train.cutoff_len", FIELD(train.cutoff_len), {8, kInfinity},
             "longer rows are cut, and counted")
      .whole("train.total_batch_size", FIELD(train.total_batch_size), kAtLeastOne,
             "rows of an optimizer step")
      .whole("train.batch_tokens", FIELD(train.batch_tokens), kNotNegative,
             "tokens of an optimizer step instead of rows")
      .real("train.num_train_epochs", FIELD(train.num_train_epochs), kPositive,
            "of a round, unless tokens is set")
      .whole("train.tokens", FIELD(train.tokens), kNotNegative,
             "through the optimizer in all rounds together; 0: by epochs")
      .text("train.schedule_scope", FIELD(train.schedule_scope), {"round", "run"},
            "one schedule per round or over all")
      .whole("train.lanes", FIELD(train.lanes), {1, 256}, "gradients are summed over so many lanes")
      .flag("train.packing", FIELD(train.packing),
            "rows packed by best fit into sequences of cutoff_len, which total_batch_size counts")
      .real("train.val_size", FIELD(train.val_size), kNotNegative,
            "rows held out for the evaluation loss: a share below 1, or a number")
      .text("train.finetuning_type", FIELD(train.finetuning_type), {"full", "lora"},
            "lora: students are adapters in PEFT's layout; `tapir merge` makes them whole")
      .whole("train.lora_rank", FIELD(train.lora_rank), kAtLeastOne, "width of the low-rank pairs")
      .real("train.lora_alpha", FIELD(train.lora_alpha), kNotNegative,
            "scale is lora_alpha / lora_rank; 0: twice the rank")
      .real("train.lora_dropout", FIELD(train.lora_dropout), {0, 0.99}, "of the pairs' input")
      .flag("train.use_rslora", FIELD(train.use_rslora), "scale is lora_alpha / sqrt(lora_rank)")
      .text("train.lora_target", FIELD(train.lora_target), {},
            "all, or names of linear layers: q_proj,v_proj")
      .text("train.optim_state_dtype", FIELD(train.optim_state_dtype), {"float32", "bfloat16"},
            "how AdamW's moments are kept")
      .text("train.save_dtype", FIELD(train.save_dtype), {"auto", "float32", "bfloat16", "float16"},
            "how students are stored; auto: as the folder they started from")
      .flag("train.bf16", FIELD(train.bf16),
            "products in bfloat16, on a GPU or where the CPU has units for it; weights stay fp32")
      .flag("train.gradient_checkpointing", FIELD(train.gradient_checkpointing),
            "less memory, a third more work, the same bits", false)
      .whole("train.eval_steps", FIELD(train.eval_steps), kNotNegative,
             "the evaluation loss every so many steps; 0: at the end", false)
      .whole("train.save_steps", FIELD(train.save_steps), kNotNegative,
             "a checkpoint every so many steps", false)
      .whole("train.save_total_limit", FIELD(train.save_total_limit), kNotNegative,
             "checkpoints that are kept; 0: all", false)
      .whole("train.logging_steps", FIELD(train.logging_steps), kAtLeastOne,
             "a line of metrics every so many steps", false)
      .whole("train.micro_batch_tokens", FIELD(train.micro_batch_tokens), kNotNegative,
             "tokens that go through the student together; 0: chosen")
      .silent_default()
      .text("train.between_rounds", FIELD(train.between_rounds), {"keep", "merge"},
            "lora: the next round trains the same adapter on, or merges it and begins a fresh one")
      .silent_default()
      .text("train.backend", FIELD(train.backend), {"native", "trl", "llamafactory", "none"},
            "who trains: this program, a job for TRL or LLaMA-Factory, or you (none: the run stops "
            "and says what to train)")
      .silent_default()
      .whole("train.processes", FIELD(train.processes), {1, 4096},
             "trl, llamafactory: processes that share the rows of a step")
      .silent_default()
      .text("train.sharding", FIELD(train.sharding), {"none", "fsdp", "zero3"},
            "trl, llamafactory: whether the processes hold the whole student each, or a part")
      .silent_default()
      .text("train.python", FIELD(train.python), {},
            "trl, llamafactory: the interpreter of the environment that they are installed in",
            false)
      .text("train.launch", FIELD(train.launch), {},
            "trl, llamafactory: a command that starts {job}/launch.sh and returns when it has "
            "ended, as \"sbatch --wait {job}/launch.sh\"; slots {job}, {name}, {processes}",
            false)
      .whole("train.max_restarts", FIELD(train.max_restarts), kNotNegative,
             "trl, llamafactory: how often a job that ended in the middle is started again", false)
      .maybe("s0_train.learning_rate", FIELD(s0_train.learning_rate), kPositive,
             "S_0's own; null: as train")
      .maybe("s0_train.num_train_epochs", FIELD(s0_train.num_train_epochs), kPositive,
             "S_0's own; null: as train")
      .whole("s0_train.tokens", FIELD(s0_train.tokens), kNotNegative,
             "through the optimizer for S_0; 0: by epochs");
}

void add_outcome(Table<Recipe>& t) {
  t.whole("evaluate.exam.uniform", FIELD(exam.uniform), kNotNegative,
          "items, even over families and levels")
      .whole("evaluate.exam.pool", FIELD(exam.pool), kNotNegative,
             "items as the pool is distributed")
      .whole("evaluate.exam.beyond", FIELD(exam.beyond), kNotNegative,
             "items of levels never trained on")
      .text("evaluate.exam.part", FIELD(exam.part), {"test", "dev"},
            "test: for reports; dev: for every choice")
      .list("evaluate.sets.general", FIELD(sets.general),
            "files of abilities that the rounds do not teach: every student answers them and is "
            "judged against the recorded answers")
      .list("evaluate.sets.instruction", FIELD(sets.instruction),
            "the same with instructions of other kinds than the data's")
      .list("evaluate.sets.safety", FIELD(sets.safety),
            "files of requests to be refused: an answer is right when it refuses, in English")
      .list("evaluate.students", FIELD(benchmarks.students),
            "who answers the benchmarks: s0, final, or an arm by its name")
      .text("evaluate.judge", FIELD(benchmarks.judge), {"judge", "auditor", "teacher"},
            "the role that judges the benchmarks; its kind has to be openai")
      .text("evaluate.alpaca_eval.data_dir", FIELD(benchmarks.alpaca_eval.data_dir), {},
            "folder of AlpacaEval 2.0's files; empty: it is not run")
      .text("evaluate.alpaca_eval.template", FIELD(benchmarks.alpaca_eval.template_file), {},
            "file of the judge's template; empty: data_dir's, else our own")
      .flag("evaluate.alpaca_eval.logprobs", FIELD(benchmarks.alpaca_eval.logprobs),
            "the preference by log-probabilities; false: by the judge's letter")
      .whole("evaluate.alpaca_eval.max_new_tokens", FIELD(benchmarks.alpaca_eval.max_new_tokens),
             kAtLeastOne, "longest answer")
      .text("evaluate.mt_bench.data_dir", FIELD(benchmarks.mt_bench.data_dir), {},
            "folder of MT-Bench in FastChat's layout; empty: it is not run")
      .text("evaluate.mt_bench.references", FIELD(benchmarks.mt_bench.references), {},
            "official | questions | none | a file of answers the judge is shown")
      .text("evaluate.mt_bench.judge_prompts", FIELD(benchmarks.mt_bench.judge_prompts), {},
            "judge_prompts.jsonl of FastChat's form; empty: our own prompts")
      .whole("evaluate.mt_bench.max_new_tokens", FIELD(benchmarks.mt_bench.max_new_tokens),
             kAtLeastOne, "longest answer to a turn")
      .real("budget.max_usd", FIELD(budget.max_usd), kNotNegative, "0: no cap", /*results=*/false)
      .whole("budget.max_tokens", FIELD(budget.max_tokens), kNotNegative, "0: no cap",
             /*results=*/false)
      .text("budget.book_requests", FIELD(budget.book_requests), {"auto", "always"},
            "note every request in the store before it is sent; auto: where it may cost money",
            /*results=*/false);
}

}  // namespace

const std::vector<Key<Recipe>>& recipe_key_table() {
  static const std::vector<Key<Recipe>> keys = [] {
    Table<Recipe> t;
    add_student_and_data(t);
    add_models(t);
    add_method(t);
    add_training(t);
    add_outcome(t);
    add_resources(t);
    return t.take();
  }();
  return keys;
}

const std::vector<Key<Arm>>& arm_key_table() {
  static const std::vector<Key<Arm>> keys = [] {
    Table<Arm> t;
    t.text("select", ARM(select), {"hard", "random"}, "hard rows, or as many of D at random")
        .flag("expand", ARM(expand), "new instructions by the teacher")
        .flag("expand_as_tapir", ARM(expand_as_tapir),
              "as many new rows as the main arm made in that round")
        .flag("balance", ARM(balance), "meet the taxonomy's shares")
        .text("refine", ARM(refine), {"all", "hard", "none"},
              "which rows are answered again in their task's style")
        .flag("rejudge", ARM(rejudge), "score again with the newest student before a round");
    return t.take();
  }();
  return keys;
}

}  // namespace tapir::pipeline
