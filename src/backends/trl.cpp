// train.backend: trl. SFTTrainer on accelerate; sharded by FSDP or DeepSpeed where that is asked.
#include <string>

#include <fmt/format.h>

#include "backends/job_files.h"
#include "backends/scripts.h"
#include "backends/training_backend.h"
#include "base/error.h"
#include "base/file.h"

namespace tapir::backends {
namespace {

std::vector<Requirement> requirements(bool adapter) {
  std::vector<Requirement> all = {{"trl", "0.24.0", "0.24."},
                                  {"transformers", "4.57.1", "4.57."},
                                  {"accelerate", "1.11.0", "1.11."},
                                  {"datasets", "4.3.0", "4."},
                                  {"torch", "2.11.0", "2."}};
  if (adapter) all.push_back({"peft", "0.18.1", "0.18."});
  return all;
}

[[noreturn]] void refuse(const std::string& what, const std::string& hint) {
  throw Error(ErrorKind::usage, "train.backend: trl cannot do " + what, hint);
}

void check(const student::TrainJob& job, const TrainingOptions& options) {
  if (job.options.optim_state_dtype != "float32") {
    refuse("train.optim_state_dtype: " + job.options.optim_state_dtype,
           "leave it at float32: FSDP and ZeRO-3 share the moments out instead");
  }
  if (options.sharding != "none" && job.options.schedule_total_steps > 0) {
    refuse("train.schedule_scope: run with train.sharding: " + options.sharding,
           "the optimizer's state would have to be gathered between rounds: set "
           "train.schedule_scope: round");
  }
}

// Keys as `accelerate config` writes them.
std::string accelerate_config(const JobFolder& job) {
  const bool fsdp = job.options.sharding == "fsdp";
  std::string text = fmt::format(
      "compute_environment: LOCAL_MACHINE\ndistributed_type: {}\nmachine_rank: 0\n"
      "main_training_function: main\nmixed_precision: '{}'\nnum_machines: 1\nnum_processes: {}\n"
      "rdzv_backend: static\nsame_network: true\nuse_cpu: {}\n",
      fsdp ? "FSDP" : "DEEPSPEED", job.job.options.bf16 ? "bf16" : "no", job.options.processes,
      job.options.use_cpu);
  if (fsdp) {
    return text +
           "fsdp_config:\n  fsdp_version: 2\n  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP\n"
           "  fsdp_cpu_ram_efficient_loading: true\n  fsdp_offload_params: false\n"
           "  fsdp_reshard_after_forward: true\n  fsdp_state_dict_type: FULL_STATE_DICT\n";
  }
  return text +
         "deepspeed_config:\n  deepspeed_multinode_launcher: standard\n  zero_stage: 3\n"
         "  offload_optimizer_device: none\n  offload_param_device: none\n"
         "  zero3_init_flag: true\n  zero3_save_16bit_model: true\n";
}

void write(const JobFolder& job) {
  write_aside(job.folder / "train.py", kTrlTrain);
  write_requirements(job.folder, requirements(job.steps.is_adapter));
  std::string launch = "-m accelerate.commands.launch --config_file accelerate.yaml";
  if (job.options.sharding == "none") {
    launch = fmt::format("-m torch.distributed.run --standalone --nproc_per_node {}",
                         job.options.processes);
  } else {
    write_aside(job.folder / "accelerate.yaml", accelerate_config(job));
  }
  write_script(job.folder / "launch.sh",
               launch_header(job.options) + "exec \"$PYTHON\" " + launch + " train.py\n");
}

}  // namespace

const TrainingBackend kTrl = {"trl",
                              requirements,
                              check,
                              write,
                              "progress.jsonl",
                              /*heeds_stop_file=*/true};

}  // namespace tapir::backends
