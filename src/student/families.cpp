#include "student/families.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::student {
namespace {

Json window_to_json(const ModelConfig& config) {
  return config.sliding_window > 0 ? Json(config.sliding_window) : Json(nullptr);
}

// ---- Llama 2, 3, 3.x ----

void read_llama(ConfigReader& reader, ModelConfig& config) {
  config.qkv_bias = config.o_bias = reader.get_or<bool>("attention_bias", false);
  config.mlp_bias = reader.get_or<bool>("mlp_bias", false);
  reader.ignore("pretraining_tp");  // another order of the same sums
}

void write_llama(const ModelConfig& config, Json& json) {
  json["attention_bias"] = config.qkv_bias;
  json["mlp_bias"] = config.mlp_bias;
}

// ---- Mistral: a sliding window in every layer ----

void read_mistral(ConfigReader& reader, ModelConfig& config) {
  constexpr int kDefaultWindow = 4096;  // absent is not null
  config.sliding_window =
      reader.has("sliding_window") ? reader.get_or<int>("sliding_window", 0) : kDefaultWindow;
}

void write_mistral(const ModelConfig& config, Json& json) {
  json["sliding_window"] = window_to_json(config);
}

// ---- Qwen2 (1.5, 2, 2.5) and Qwen3: a sliding window in some layers ----

// By name in layer_types, else from max_window_layers on.
std::vector<bool> read_sliding_layers(ConfigReader& reader, const ModelConfig& config) {
  const int from = reader.get_or<int>("max_window_layers", 28);
  std::vector<bool> sliding;
  if (reader.find("layer_types") == nullptr) {
    for (int layer = 0; layer < config.num_hidden_layers; ++layer)
      sliding.push_back(config.sliding_window > 0 && layer >= from);
    return sliding;
  }
  const auto types = reader.get<std::vector<std::string>>("layer_types");
  if (types.size() != static_cast<std::size_t>(std::max(config.num_hidden_layers, 0))) {
    reader.refuse("layer_types", std::to_string(types.size()) + " entries",
                  std::to_string(config.num_hidden_layers) + ", one per layer");
  }
  for (const std::string& type : types) {
    sliding.push_back(type == "sliding_attention");
    if (type != "sliding_attention" && type != "full_attention") {
      reader.refuse("layer_types", "\"" + type + "\"",
                    "\"full_attention\" or \"sliding_attention\"");
    }
  }
  return sliding;
}

void read_windows(ConfigReader& reader, ModelConfig& config) {
  const int window = reader.has("sliding_window") ? reader.get_or<int>("sliding_window", 0) : 4096;
  if (reader.get_or<bool>("use_sliding_window", false)) config.sliding_window = window;
  config.sliding_layers = read_sliding_layers(reader, config);
  const bool any = std::find(config.sliding_layers.begin(), config.sliding_layers.end(), true) !=
                   config.sliding_layers.end();
  if (any && config.sliding_window == 0) {
    reader.refuse("layer_types", "\"sliding_attention\"",
                  "no sliding layer without use_sliding_window and sliding_window");
  }
  if (!any) config.sliding_window = 0;
  if (config.sliding_window == 0) config.sliding_layers.clear();
}

void write_windows(const ModelConfig& config, Json& json) {
  json["use_sliding_window"] = config.sliding_window > 0;
  json["sliding_window"] = window_to_json(config);
  json["max_window_layers"] = config.num_hidden_layers;
  Json types = Json::array();
  for (int layer = 0; layer < config.num_hidden_layers; ++layer)
    types.push_back(config.window_of(layer) > 0 ? "sliding_attention" : "full_attention");
  json["layer_types"] = types;
}

void read_qwen2(ConfigReader& reader, ModelConfig& config) {
  config.qkv_bias = true;
  reader.require("use_mrope", false);
  read_windows(reader, config);
}

void read_qwen3(ConfigReader& reader, ModelConfig& config) {
  config.qk_norm = true;
  config.qkv_bias = config.o_bias = reader.get_or<bool>("attention_bias", false);
  read_windows(reader, config);
}

void write_qwen3(const ModelConfig& config, Json& json) {
  json["attention_bias"] = config.qkv_bias;
  write_windows(config, json);
}

// ---- Phi-3: Llama with fused projections and a sliding window in every layer ----

void read_phi3(ConfigReader& reader, ModelConfig& config) {
  config.sliding_window = reader.get_or<int>("sliding_window", 0);
  reader.require("attention_bias", false);
  reader.require("resid_pdrop", 0.0);
  reader.require("embd_pdrop", 0.0);
  reader.ignore("original_max_position_embeddings");  // of longrope
}

constexpr std::array kFamilies = {
    Family{.architecture = "LlamaForCausalLM",
           .model_type = "llama",
           .max_position_embeddings = 2048,
           .read = read_llama,
           .write = write_llama},
    Family{.architecture = "MistralForCausalLM",
           .model_type = "mistral",
           .num_key_value_heads = 8,
           .max_position_embeddings = 131072,
           .read = read_mistral,
           .write = write_mistral},
    Family{.architecture = "Qwen2ForCausalLM",
           .model_type = "qwen2",
           .num_key_value_heads = 32,
           .max_position_embeddings = 32768,
           .read = read_qwen2,
           .write = write_windows},
    Family{.architecture = "Qwen3ForCausalLM",
           .model_type = "qwen3",
           .num_key_value_heads = 32,
           .head_dim = 128,
           .max_position_embeddings = 32768,
           .read = read_qwen3,
           .write = write_qwen3},
    Family{.architecture = "Phi3ForCausalLM",
           .model_type = "phi3",
           .fused_projections = true,
           .max_position_embeddings = 4096,
           .rms_norm_eps = 1e-5,
           .read = read_phi3,
           .write = write_mistral},
};

std::string known_architectures() {
  std::vector<std::string> names;
  for (const Family& family : kFamilies) names.emplace_back(family.architecture);
  return join(names, ", ");
}

const Family* find_by(std::string_view Family::*field, std::string_view value) {
  const auto* found = std::find_if(kFamilies.begin(), kFamilies.end(),
                                   [&](const Family& family) { return family.*field == value; });
  return found == kFamilies.end() ? nullptr : found;
}

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family& family_of(std::string_view architecture) {
  const Family* family = find_by(&Family::architecture, architecture);
  if (family != nullptr) return *family;
  throw Error(ErrorKind::usage, "architecture: found \"" + std::string(architecture) +
                                    "\", expected one of " + known_architectures());
}

const Family& find_family(ConfigReader& reader) {
  const auto type = reader.get_or<std::string>("model_type", "");
  const Json* architectures = reader.find("architectures");
  const Family* family = nullptr;
  if (architectures == nullptr) {
    family = find_by(&Family::model_type, type);
  } else if (architectures->is_array() && architectures->size() == 1 &&
             architectures->front().is_string()) {
    family = find_by(&Family::architecture, architectures->front().get<std::string>());
  }
  if (family == nullptr) {
    const std::string found =
        architectures == nullptr ? "model_type \"" + type + "\"" : architectures->dump();
    throw Error(ErrorKind::data,
                reader.where() + ": key \"architectures\": found " + found + ", expected one of " +
                    known_architectures(),
                "a student is a decoder of one of these families");
  }
  if (!type.empty() && type != family->model_type) {
    reader.refuse("model_type", "\"" + type + "\"",
                  "\"" + std::string(family->model_type) + "\", as architectures says");
  }
  return *family;
}

LayerNames layer_names(const ModelConfig& config) {
  const long query = config.query_width();
  const long kv = config.key_value_width();
  const long inner = config.intermediate_size;
  if (family_of(config.architecture).fused_projections) {
    return {{{"self_attn.qkv_proj", query + 2 * kv}}, {{"mlp.gate_up_proj", 2 * inner}}};
  }
  return {{{"self_attn.q_proj", query}, {"self_attn.k_proj", kv}, {"self_attn.v_proj", kv}},
          {{"mlp.gate_proj", inner}, {"mlp.up_proj", inner}}};
}

}  // namespace tapir::student
