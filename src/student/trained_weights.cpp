#include "student/trained_weights.h"

#include <set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/strings.h"
#include "student/folder_files.h"

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

// What a folder holds of weights and of an earlier training is written anew or left behind.
bool is_carried_over(const Path& file) {
  static const std::set<std::string> kLeft = {"trainer_state.json", "metrics.jsonl",
                                              "model.safetensors.index.json", "adapter_config.json",
                                              "training_args.bin"};
  const std::string extension = file.extension().string();
  return !kLeft.contains(file.filename().string()) && extension != ".safetensors" &&
         extension != ".bin" && extension != ".pt" && extension != ".pth";
}

// Of the base alone: an adapter's folder does not say what its base is.
bool describes_the_base(const Path& file) {
  return file.filename() == "config.json" || file.filename() == "generation_config.json";
}

void copy_files(const Path& from, const Path& to, bool adapter) {
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    const Path& file = entry.path();
    if (!entry.is_regular_file() || !is_carried_over(file)) continue;
    if (adapter && describes_the_base(file)) continue;
    write_aside(to / file.filename(), read_file(file));
  }
}

// config.json says how the weights beside it are stored. It stays as it is where it does already.
void name_storage_type(const Path& folder, StorageType type) {
  const Path file = folder / "config.json";
  OrderedJson config = parse_ordered_json(read_file(file), file.string());
  bool changed = false;
  for (const char* key : {"torch_dtype", "dtype"}) {
    if (!config.contains(key) || config[key] == to_string(type)) continue;
    config[key] = to_string(type);
    changed = true;
  }
  if (!config.contains("torch_dtype") && !config.contains("dtype") &&
      type != StorageType::float32) {
    config["torch_dtype"] = to_string(type);
    changed = true;
  }
  if (changed) write_aside(file, config.dump(2) + "\n");
}

AdapterConfig wanted_adapter(const TrainOptions& options, const StudentFolder& folder) {
  const LoraOptions& o = options.lora;
  AdapterConfig config;
  config.r = o.lora_rank;
  config.lora_alpha = o.lora_alpha > 0 ? o.lora_alpha : 2.0 * o.lora_rank;
  config.lora_dropout = o.lora_dropout;
  config.use_rslora = o.use_rslora;
  if (o.lora_target != "all") {
    for (const std::string& name : split(o.lora_target, ',')) {
      config.target_modules.emplace_back(trim(name));
    }
  }
  config.base_model_name_or_path =
      std::filesystem::absolute(folder.base).lexically_normal().string();
  return config;
}

// The linear layers that an adapter stands beside.
std::vector<std::string> modules_of(const ParameterLayout& base, const AdapterConfig& config) {
  std::vector<std::string> modules;
  for (LowRankPair& pair : make_adapter_layout(base, config).pairs)
    modules.push_back(std::move(pair.module));
  return modules;
}

// An adapter is trained on as it is. What is asked for in so many words must be what it is.
AdapterConfig continued_adapter(const AdapterConfig& wanted, const LoraOptions& options,
                                const StudentFolder& folder, const ParameterLayout& base) {
  AdapterConfig found = read_adapter_config(folder.adapter);
  const LoraOptions usual;
  std::vector<std::string> contradictions;
  if (options.lora_rank != usual.lora_rank && found.r != wanted.r)
    contradictions.push_back("lora_rank " + std::to_string(found.r));
  if (options.lora_alpha > 0 && found.lora_alpha != wanted.lora_alpha)
    contradictions.push_back("lora_alpha " + std::to_string(found.lora_alpha));
  if (options.use_rslora && !found.use_rslora) contradictions.emplace_back("no rsLoRA");
  if (options.lora_target != usual.lora_target &&
      modules_of(base, wanted) != modules_of(base, found)) {
    const std::string targets = join(found.target_modules, ",");
    contradictions.push_back("lora_target " + (targets.empty() ? usual.lora_target : targets));
  }
  if (!contradictions.empty()) {
    throw Error(ErrorKind::usage,
                folder.adapter.string() + " is an adapter with " + join(contradictions, ", ") +
                    ", other than asked for",
                "leave these options out to train it on, or merge it first: tapir merge");
  }
  found.lora_dropout = wanted.lora_dropout;
  found.base_model_name_or_path = wanted.base_model_name_or_path;
  return found;
}

// PEFT lists the names of the layers, never "all".
std::vector<std::string> target_names(const AdapterLayout& layout) {
  std::set<std::string> names;
  for (const LowRankPair& pair : layout.pairs) names.insert(target_name(pair.module));
  return {names.begin(), names.end()};
}

}  // namespace

TrainedWeights::TrainedWeights(const TrainJob& job)
    : folder_(find_student(job.model_dir)),
      seed_(job.options.seed),
      save_dtype_(job.options.save_dtype),
      config_(read_config(folder_.base)),
      base_layout_(make_layout(config_)) {
  if (job.options.finetuning_type != "lora") return;
  AdapterConfig config = wanted_adapter(job.options, folder_);
  if (folder_.is_adapter()) {
    config = continued_adapter(config, job.options.lora, folder_, base_layout_);
  }
  adapter_.emplace();
  adapter_->layout = make_adapter_layout(base_layout_, config);
  if (config.target_modules.empty()) config.target_modules = target_names(adapter_->layout);
  adapter_->config = std::move(config);
}

void TrainedWeights::read_base(float* out) const {
  read_parameters(base_layout_, config_, folder_.base, out);
}

void TrainedWeights::read(std::vector<float>& values) {
  values.resize(static_cast<std::size_t>(layout().size));
  if (!adapter_) {
    read_base(values.data());
    if (!folder_.is_adapter()) return;
    const Adapter merged = read_adapter(folder_.adapter, base_layout_, values.data());
    merge_adapter(merged.layout, merged.values.data(), values.data());
    return;
  }
  read_base(base_.reserve(base_layout_.size));
  base_digest_ = base_digest(base_layout_, base_.data());
  if (folder_.is_adapter()) {
    values = read_adapter(folder_.adapter, base_layout_, base_.data()).values;
  } else {
    initialise_adapter(adapter_->layout, seed_, values.data());
  }
}

void TrainedWeights::read_checkpoint(const Path& checkpoint, std::vector<float>& values) {
  values.resize(static_cast<std::size_t>(layout().size));
  if (!adapter_) {
    read_parameters(base_layout_, config_, checkpoint, values.data());
    return;
  }
  read_base(base_.reserve(base_layout_.size));
  base_digest_ = base_digest(base_layout_, base_.data());
  values = read_adapter(checkpoint, base_layout_, base_.data()).values;
}

StorageType TrainedWeights::saved_type() const {
  if (save_dtype_ == "auto") return is_adapter() ? StorageType::float32 : config_.torch_dtype;
  const auto type = parse_storage_type(save_dtype_);
  check(type.has_value(), "save_dtype was checked");
  return *type;
}

void TrainedWeights::write(const Path& folder, const std::vector<float>& values,
                           StorageType type) const {
  copy_files(folder_.base, folder, is_adapter());
  if (folder_.words != folder_.base) copy_files(folder_.words, folder, is_adapter());
  if (!adapter_) {
    name_storage_type(folder, type);
    complete_folder(folder);
    write_parameters(base_layout_, values.data(), folder, {.type = type});
    return;
  }
  write_aside(folder / "adapter_config.json", adapter_config_text(adapter_->config));
  std::vector<NamedTensor> tensors = named_tensors(adapter_->layout.values, values.data(), "");
  for (NamedTensor& tensor : tensors) tensor.stored_as = data_type(type);
  write_safetensors(folder / "adapter_model.safetensors", std::move(tensors),
                    adapter_metadata(base_digest_));
}

DecoderOptions decoder_options(const TrainedWeights& weights, const TrainJob& job) {
  DecoderOptions options;
  options.gradient_checkpointing = job.io.gradient_checkpointing;
  options.bf16 = job.options.bf16;
  if (weights.is_adapter()) {
    options.adapter = &weights.adapter_layout();
    options.lora_dropout = weights.adapter_config().lora_dropout;
  }
  return options;
}

}  // namespace tapir::student
