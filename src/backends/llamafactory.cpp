// train.backend: llamafactory. `llamafactory-cli train` on our tokens (tokenized_path), in our
// order (disable_shuffling), with a schedule of its own that is the same one.
#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include "backends/job_files.h"
#include "backends/scripts.h"
#include "backends/training_backend.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace tapir::backends {
namespace {

std::vector<Requirement> requirements(bool adapter) {
  (void)adapter;  // LLaMA-Factory brings peft along
  return {{"llamafactory", "0.9.5", "0.9.5"},
          {"transformers", "4.57.1", "4.57."},
          {"accelerate", "1.11.0", "1.11."},
          {"datasets", "4.0.0", "4."},
          {"torch", "2.11.0", "2."}};
}

[[noreturn]] void refuse(const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::usage, "train.backend: llamafactory cannot do " + what, hint);
}

void check(const student::TrainJob& job, const TrainingOptions&) {
  const student::TrainOptions& o = job.options;
  if (o.schedule_total_steps > 0) {
    refuse("train.schedule_scope: run",
           "its schedule begins anew in every training: set train.schedule_scope: round, or "
           "train.backend: trl");
  }
  if (o.optim_state_dtype != "float32") {
    refuse("train.optim_state_dtype: " + o.optim_state_dtype, "leave it at float32");
  }
}

// JSON is YAML.
std::string quoted(const std::string& text) { return Json(text).dump(); }

std::string adapter_keys(const JobFolder& job) {
  if (!job.steps.is_adapter) return "finetuning_type: full\n";
  return "finetuning_type: lora\nadapter_name_or_path: " +
         quoted(std::filesystem::absolute(job.steps.start).lexically_normal().string()) +
         fmt::format("\nlora_rank: {}\nlora_dropout: {}\n", job.job.options.lora.lora_rank,
                     job.job.options.lora.lora_dropout);
}

std::string sharding_keys(const JobFolder& job) {
  if (job.options.sharding == "none") return {};
  if (job.options.sharding == "fsdp") return "fsdp: full_shard auto_wrap\n";
  const OrderedJson zero3 = {
      {"train_batch_size", "auto"},
      {"train_micro_batch_size_per_gpu", "auto"},
      {"gradient_accumulation_steps", "auto"},
      {"gradient_clipping", "auto"},
      {"bf16", {{"enabled", "auto"}}},
      {"zero_optimization", {{"stage", 3}, {"stage3_gather_16bit_weights_on_model_save", true}}}};
  write_aside(job.folder / "zero3.json", zero3.dump(2) + "\n");
  return "deepspeed: zero3.json\n";
}

std::string train_yaml(const JobFolder& job) {
  const student::TrainOptions& o = job.job.options;
  const student::TrainIo& io = job.job.io;
  std::size_t most = 0;
  for (const student::TrainStep& step : job.steps.steps) most = std::max(most, step.rows.size());
  const auto processes = static_cast<std::size_t>(job.options.processes);
  const double steps = static_cast<double>(job.steps.steps.size());
  std::string scheduler = o.lr_scheduler_type;
  if (scheduler == "constant") scheduler = "constant_with_warmup";
  return fmt::format(
             "model_name_or_path: {}\nstage: sft\ndo_train: true\n",
             quoted(std::filesystem::absolute(job.steps.base).lexically_normal().string())) +
         adapter_keys(job) + sharding_keys(job) +
         fmt::format(
             "dataset: tapir\ndataset_dir: data\ntokenized_path: tokenized\n"
             "disable_shuffling: true\ncutoff_len: {}\noutput_dir: output\n"
             "overwrite_output_dir: false\nper_device_train_batch_size: 1\n"
             "gradient_accumulation_steps: {}\naverage_tokens_across_devices: true\n"
             "num_train_epochs: 1.0\nlearning_rate: {}\nlr_scheduler_type: {}\nwarmup_steps: {}\n",
             o.cutoff_len, (most + processes - 1) / processes, o.learning_rate, scheduler,
             static_cast<std::int64_t>(std::ceil(steps * o.warmup_ratio))) +
         fmt::format(
             "weight_decay: {}\nadam_beta1: {}\nadam_beta2: {}\nadam_epsilon: {}\n"
             "max_grad_norm: {}\noptim: adamw_torch\nseed: {}\n",
             o.weight_decay, o.adam_beta1, o.adam_beta2, o.adam_epsilon, o.max_grad_norm,
             o.seed % 0xffffffff) +
         fmt::format(
             "bf16: {}\ndisable_gradient_checkpointing: {}\nlogging_steps: 1\n"
             "logging_nan_inf_filter: false\nsave_strategy: {}\nsave_steps: {}\n",
             o.bf16, !io.gradient_checkpointing, io.save_steps > 0 ? "steps" : "\"no\"",
             io.save_steps > 0 ? io.save_steps : 500) +
         (io.save_total_limit > 0 ? fmt::format("save_total_limit: {}\n", io.save_total_limit)
                                  : "") +
         fmt::format("use_cpu: {}\nplot_loss: false\nreport_to: none\ndataloader_num_workers: 0\n",
                     job.options.use_cpu);
}

// The rows as LLaMA-Factory reads them itself.
void write_data(const JobFolder& job) {
  const std::filesystem::path folder = job.folder / "data";
  std::filesystem::create_directories(folder);
  OrderedJson rows = OrderedJson::array();
  for (const student::TrainRow& row : job.steps.rows) {
    OrderedJson messages = OrderedJson::array();
    for (const Message& message : row.messages) {
      messages.push_back({{"role", to_string(message.role)}, {"content", message.content}});
    }
    rows.push_back({{"messages", std::move(messages)}});
  }
  write_aside(folder / "tapir.json", rows.dump(1) + "\n");
  const OrderedJson info = {{"tapir",
                             {{"file_name", "tapir.json"},
                              {"formatting", "sharegpt"},
                              {"columns", {{"messages", "messages"}}},
                              {"tags",
                               {{"role_tag", "role"},
                                {"content_tag", "content"},
                                {"user_tag", "user"},
                                {"assistant_tag", "assistant"},
                                {"system_tag", "system"}}}}}};
  write_aside(folder / "dataset_info.json", info.dump(2) + "\n");
}

void write(const JobFolder& job) {
  write_aside(job.folder / "job.py", kLlamaFactoryJob);
  write_aside(job.folder / "train.yaml", train_yaml(job));
  write_requirements(job.folder, requirements(job.steps.is_adapter));
  write_data(job);
  write_script(
      job.folder / "launch.sh",
      launch_header(job.options) +
          fmt::format("scripts=$(\"$PYTHON\" -c 'import sysconfig; "
                      "print(sysconfig.get_path(\"scripts\"))')\nexport PATH=\"$scripts:$PATH\"\n"
                      "\"$PYTHON\" job.py prepare\n"
                      "FORCE_TORCHRUN=1 NPROC_PER_NODE={} llamafactory-cli train train.yaml\n"
                      "\"$PYTHON\" job.py collect\n",
                      job.options.processes));
}

}  // namespace

const TrainingBackend kLlamaFactory = {
    "llamafactory",           requirements, check, write, "output/trainer_log.jsonl",
    /*heeds_stop_file=*/false};

}  // namespace tapir::backends
