#include "pipeline/training_job.h"

#include <utility>

#include "pipeline/doctor.h"

namespace tapir::pipeline {
namespace {

student::TrainOptions options_of(const Recipe& recipe) {
  const Recipe::TrainPart& t = recipe.train;
  student::TrainOptions o;
  o.learning_rate = t.learning_rate;
  o.lr_scheduler_type = t.lr_scheduler_type;
  o.warmup_ratio = t.warmup_ratio;
  o.weight_decay = t.weight_decay;
  o.adam_beta1 = t.adam_beta1;
  o.adam_beta2 = t.adam_beta2;
  o.adam_epsilon = t.adam_epsilon;
  o.max_grad_norm = t.max_grad_norm;
  o.cutoff_len = static_cast<int>(t.cutoff_len);
  o.total_batch_size = static_cast<int>(t.total_batch_size);
  o.batch_tokens = static_cast<int>(t.batch_tokens);
  o.num_train_epochs = t.num_train_epochs;
  o.lanes = static_cast<int>(t.lanes);
  o.packing = t.packing;
  o.val_size = t.val_size;
  o.finetuning_type = t.finetuning_type;
  o.lora = {static_cast<int>(t.lora_rank), t.lora_alpha, t.lora_dropout, t.use_rslora,
            t.lora_target};
  o.optim_state_dtype = t.optim_state_dtype;
  o.save_dtype = t.save_dtype;
  o.bf16 = t.bf16;
  o.chat_format = recipe.student.chat_format;
  return o;
}

}  // namespace

student::TrainJob training_job(const Recipe& recipe) {
  const Recipe::TrainPart& t = recipe.train;
  student::TrainJob job;
  job.options = options_of(recipe);
  job.io.gradient_checkpointing = t.gradient_checkpointing;
  job.io.eval_steps = t.eval_steps;
  job.io.save_total_limit = static_cast<int>(t.save_total_limit);
  job.io.save_steps = t.save_steps;
  job.io.logging_steps = t.logging_steps;
  job.io.micro_batch_tokens = static_cast<int>(t.micro_batch_tokens);
  return job;
}

student::Preflight look_at_training(const Recipe& recipe, const student::StudentEngine& engine,
                                    std::vector<Example> examples) {
  student::TrainJob job = training_job(recipe);
  job.model_dir = resolve_path(recipe, recipe.student.model_name_or_path);
  job.examples = std::move(examples);
  job.options.val_size = 0;  // of all rows, not of these
  return engine.preflight(job);
}

}  // namespace tapir::pipeline
