#include "student/adapter_file.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

constexpr const char* kWeightsFile = "adapter_model.safetensors";
constexpr const char* kDigestKey = "base_digest";

bool is_empty(const Json& value) {
  if (value.is_null() || value == Json(false)) return true;
  return (value.is_object() || value.is_array() || value.is_string()) && value.empty();
}

// What changes the arithmetic and is not built. Keys that only initialise or speed up are let pass.
void refuse_unknown(const Json& config, const std::string& where) {
  std::vector<std::string> refused;
  for (const char* key :
       {"use_dora", "fan_in_fan_out", "lora_bias", "modules_to_save", "rank_pattern",
        "alpha_pattern", "layers_to_transform", "layer_replication", "target_parameters",
        "trainable_token_indices", "use_qalora", "exclude_modules"}) {
    if (config.contains(key) && !is_empty(config[key])) {
      refused.push_back(std::string(key) + " = " + config[key].dump());
    }
  }
  if (config.contains("bias") && config["bias"] != "none") {
    refused.push_back("bias = " + config["bias"].dump());
  }
  const auto type = json_get<std::string>(config, "peft_type", where);
  if (type != "LORA") refused.push_back("peft_type = " + type);
  if (refused.empty()) return;
  throw Error(ErrorKind::data, where + ": not supported: " + join(refused, ", "),
              "plain LoRA on linear layers is; merge the adapter with PEFT instead");
}

std::vector<std::string> targets_of(const Json& config, const std::string& where) {
  if (config.contains("target_modules") && config["target_modules"].is_string()) {
    if (config["target_modules"] == "all-linear") return {};
    throw Error(ErrorKind::data,
                where + ": target_modules: found the pattern " + config["target_modules"].dump() +
                    ", expected a list of names",
                "list the names of the layers, as q_proj, v_proj");
  }
  auto names = json_get<std::vector<std::string>>(config, "target_modules", where);
  std::sort(names.begin(), names.end());
  return names;
}

void check_tensors(const AdapterLayout& layout, const SafetensorsFile& file, const Path& folder) {
  const std::string what = describe_mismatch(layout.values.parameters, file.tensors(), "the base");
  if (what.empty()) return;
  throw Error(ErrorKind::data,
              file.path().string() + ": does not fit its config and its base" + what,
              folder.string() + " must be an adapter of this very base");
}

void check_base(const SafetensorsFile& file, const std::string& digest,
                const std::string& base_name) {
  const auto found = file.metadata().find(kDigestKey);
  if (found == file.metadata().end() || found->second == digest) return;
  throw Error(ErrorKind::data,
              file.path().string() + ": was trained on other weights than those of " + base_name,
              "base_model_name_or_path in adapter_config.json must name the base of the training");
}

}  // namespace

AdapterConfig read_adapter_config(const Path& folder) {
  const std::string where = (folder / kAdapterConfigFile).string();
  const Json json = read_json_object(where);
  refuse_unknown(json, where);
  AdapterConfig config;
  config.base_model_name_or_path =
      json_get_or<std::string>(json, "base_model_name_or_path", "", where);
  config.r = json_get<int>(json, "r", where);
  config.lora_alpha = json_get<double>(json, "lora_alpha", where);
  config.lora_dropout = json_get_or<double>(json, "lora_dropout", 0.0, where);
  config.use_rslora = json_get_or<bool>(json, "use_rslora", false, where);
  config.target_modules = targets_of(json, where);
  if (config.r < 1) {
    throw Error(ErrorKind::data, where + ": r: found " + std::to_string(config.r) +
                                     ", expected a rank of 1 or more");
  }
  return config;
}

std::string adapter_config_text(const AdapterConfig& config) {
  OrderedJson json;
  json["alpha_pattern"] = OrderedJson::object();
  json["base_model_name_or_path"] = config.base_model_name_or_path;
  json["bias"] = "none";
  json["fan_in_fan_out"] = false;
  json["inference_mode"] = true;
  json["init_lora_weights"] = true;
  json["layers_to_transform"] = nullptr;
  // PEFT types it as an integer, and so do those who read it.
  const auto whole = static_cast<std::int64_t>(config.lora_alpha);
  if (static_cast<double>(whole) == config.lora_alpha) {
    json["lora_alpha"] = whole;
  } else {
    json["lora_alpha"] = config.lora_alpha;
  }
  json["lora_dropout"] = config.lora_dropout;
  json["modules_to_save"] = nullptr;
  json["peft_type"] = "LORA";
  json["r"] = config.r;
  json["rank_pattern"] = OrderedJson::object();
  json["target_modules"] = config.target_modules;
  json["task_type"] = "CAUSAL_LM";
  json["use_dora"] = false;
  json["use_rslora"] = config.use_rslora;
  return json.dump(2) + "\n";
}

std::map<std::string, std::string> adapter_metadata(const std::string& digest) {
  return {{"format", "pt"}, {kDigestKey, digest}};
}

Adapter read_adapter(const Path& folder, const ParameterLayout& base, const float* base_values) {
  Adapter adapter;
  adapter.config = read_adapter_config(folder);
  try {
    adapter.layout = make_adapter_layout(base, adapter.config);
  } catch (const Error& e) {
    throw Error(ErrorKind::data, (folder / kAdapterConfigFile).string() + ": " + e.what(),
                e.hint());
  }
  if (!std::filesystem::exists(folder / kWeightsFile)) {
    throw Error(ErrorKind::data, folder.string() + ": " + kWeightsFile + " is missing",
                "save the adapter as safetensors");
  }
  const SafetensorsFile file(folder / kWeightsFile);
  check_tensors(adapter.layout, file, folder);
  check_base(file, base_digest(base, base_values), adapter.config.base_model_name_or_path);
  adapter.values.resize(static_cast<std::size_t>(adapter.layout.values.size));
  for (const Parameter& parameter : adapter.layout.values.parameters) {
    to_floats(file.tensors().at(parameter.name), adapter.values.data() + parameter.offset,
              file.path().string() + ": tensor \"" + parameter.name + "\"");
  }
  return adapter;
}

}  // namespace tapir::student
