// Options of `tapir train`: device, LoRA, packing, memory, evaluation, precision.
#include "command.h"

namespace tapir::cli {
namespace {

void add_lora(CLI::App* verb, student::TrainOptions& o) {
  constexpr const char* kGroup = "LoRA";
  verb->add_option("--finetuning-type", o.finetuning_type,
                   "full | lora: OUTPUT is an adapter in PEFT's layout; `tapir merge` makes it "
                   "whole")
      ->check(CLI::IsMember({"full", "lora"}))
      ->group(kGroup);
  verb->add_option("--lora-rank", o.lora.lora_rank, "width of the low-rank pairs")
      ->check(CLI::PositiveNumber)
      ->group(kGroup);
  verb->add_option("--lora-alpha", o.lora.lora_alpha, "scale is alpha / rank; 0: twice the rank")
      ->check(CLI::NonNegativeNumber)
      ->group(kGroup);
  verb->add_option("--lora-dropout", o.lora.lora_dropout, "of the pairs' input")
      ->check(CLI::Range(0.0, 0.99))
      ->group(kGroup);
  verb->add_flag("--use-rslora", o.lora.use_rslora, "scale is alpha / sqrt(rank)")->group(kGroup);
  verb->add_option("--lora-target", o.lora.lora_target,
                   "all, or names of linear layers: q_proj,v_proj")
      ->group(kGroup);
}

void add_memory(CLI::App* verb, student::TrainJob& job) {
  constexpr const char* kGroup = "Memory and precision";
  verb->add_flag("--gradient-checkpointing", job.io.gradient_checkpointing,
                 "less memory, a third more work, the same bits")
      ->group(kGroup);
  verb->add_option("--micro-batch-tokens", job.io.micro_batch_tokens,
                   "tokens of one pass of a lane, or of the device; 0: chosen. Agrees to 1e-6, not "
                   "bit for bit")
      ->check(CLI::NonNegativeNumber)
      ->group(kGroup);
  verb->add_option("--memory-limit", job.io.memory_limit,
                   "what may be in use (20GB), of the GPU when it trains there; 0: what the system "
                   "allows")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true))
      ->group(kGroup);
  add_save_dtype(verb, job.options.save_dtype);
  verb->add_flag("--bf16", job.options.bf16,
                 "products in bfloat16, on a GPU or where the CPU has units for it; weights stay "
                 "fp32")
      ->group(kGroup);
  verb->add_option("--optim-state-dtype", job.options.optim_state_dtype,
                   "float32 | bfloat16: how AdamW's moments are kept")
      ->check(CLI::IsMember({"float32", "bfloat16"}))
      ->group(kGroup);
}

void add_evaluation(CLI::App* verb, student::TrainJob& job) {
  constexpr const char* kGroup = "Evaluation and files";
  verb->add_option("--val-size", job.options.val_size,
                   "rows held out for the evaluation loss: a share below 1, or a number")
      ->check(CLI::NonNegativeNumber)
      ->group(kGroup);
  verb->add_option("--eval-steps", job.io.eval_steps,
                   "the evaluation loss every so many steps; 0: at the end")
      ->check(CLI::NonNegativeNumber)
      ->group(kGroup);
  verb->add_option("--save-total-limit", job.io.save_total_limit, "checkpoints kept; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->group(kGroup);
  verb->add_option("--logging-dir", job.io.logging_dir,
                   "TensorBoard event files; by default OUTPUT/runs")
      ->group(kGroup);
}

}  // namespace

void add_save_dtype(CLI::App* verb, std::string& save_dtype) {
  verb->add_option("--save-dtype", save_dtype,
                   "auto | float32 | bfloat16 | float16: how the weights are stored; auto: as the "
                   "base's, of an adapter float32")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16", "float16"}))
      ->capture_default_str();
}

void add_device_option(CLI::App* verb, std::string& device) {
  device = "auto";
  verb->add_option(
      "--device", device,
      "auto (a GPU where one can be used) | cpu | cuda | cuda:<n> | torch-cpu (tests); "
      "other bits on each");
}

void add_dtype_option(CLI::App* verb, std::string& dtype) {
  dtype = "auto";
  verb->add_option(
          "--dtype", dtype,
          "of the products: auto (float32; on a GPU as the weights are stored) | float32 | "
          "bfloat16 (faster where the CPU has units for it; other bits)")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16"}))
      ->capture_default_str();
}

void add_training_options(CLI::App* verb, student::TrainJob& job) {
  verb->add_flag("--packing", job.options.packing,
                 "rows packed by best fit into sequences of cutoff-len, which total-batch-size "
                 "counts");
  add_lora(verb, job.options);
  add_memory(verb, job);
  add_evaluation(verb, job);
}

}  // namespace tapir::cli
