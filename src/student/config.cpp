#include "student/config.h"

#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

[[noreturn]] void unsupported(const Path& file, std::string_view key, const std::string& found,
                              const std::string& expected) {
  throw Error(ErrorKind::data,
              file.string() + ": key \"" + std::string(key) + "\": found " + found + ", expected " +
                  expected,
              "this student is a LlamaForCausalLM without biases and with plain rotary positions");
}

// A key that must be absent, null or equal to the one value that is implemented.
void require(const Json& config, const Path& file, std::string_view key, const Json& only) {
  const auto found = config.find(std::string(key));
  if (found == config.end() || found->is_null() || *found == only) return;
  unsupported(file, key, found->dump(), only.dump());
}

void check_architecture(const Json& config, const Path& file) {
  const auto found = config.find("architectures");
  if (found != config.end() && !found->is_null() && *found != Json::array({"LlamaForCausalLM"})) {
    unsupported(file, "architectures", found->dump(), "[\"LlamaForCausalLM\"]");
  }
  require(config, file, "model_type", "llama");
  require(config, file, "hidden_act", "silu");
  require(config, file, "attention_bias", false);
  require(config, file, "mlp_bias", false);
  require(config, file, "pretraining_tp", 1);
  require(config, file, "quantization_config", nullptr);
}

// rope_theta stands alone (transformers 4) or inside rope_parameters (transformers 5).
double read_rope_theta(const Json& config, const Path& file) {
  double theta = json_get_or<double>(config, "rope_theta", 10000, file.string());
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) continue;
    const std::string where = file.string() + ": " + key;
    if (!found->is_object()) unsupported(file, key, found->dump(), "an object");
    std::string type = json_get_or<std::string>(*found, "rope_type", "default", where);
    type = json_get_or<std::string>(*found, "type", type, where);
    if (type != "default") unsupported(file, key, "\"" + type + "\"", "\"default\"");
    require(*found, file, "partial_rotary_factor", 1.0);
    theta = json_get_or<double>(*found, "rope_theta", theta, where);
  }
  return theta;
}

// null, a number, or a list of numbers.
std::vector<std::int32_t> read_ids(const Json& object, std::string_view key,
                                   const std::string& where) {
  const auto found = object.find(std::string(key));
  if (found == object.end() || found->is_null()) return {};
  if (found->is_array()) return json_get<std::vector<std::int32_t>>(object, key, where);
  return {json_get<std::int32_t>(object, key, where)};
}

std::optional<std::int32_t> read_id(const Json& object, std::string_view key,
                                    const std::string& where) {
  const std::vector<std::int32_t> ids = read_ids(object, key, where);
  return ids.empty() ? std::nullopt : std::optional(ids.front());
}

void read_sizes(const Json& json, const std::string& where, ModelConfig& config) {
  config.vocab_size = json_get<int>(json, "vocab_size", where);
  config.hidden_size = json_get<int>(json, "hidden_size", where);
  config.intermediate_size = json_get<int>(json, "intermediate_size", where);
  config.num_hidden_layers = json_get<int>(json, "num_hidden_layers", where);
  config.num_attention_heads = json_get<int>(json, "num_attention_heads", where);
  config.num_key_value_heads =
      json_get_or<int>(json, "num_key_value_heads", config.num_attention_heads, where);
  const int heads = config.num_attention_heads > 0 ? config.num_attention_heads : 1;
  config.head_dim = json_get_or<int>(json, "head_dim", config.hidden_size / heads, where);
  config.max_position_embeddings = json_get_or<int>(json, "max_position_embeddings", 2048, where);
}

OrderedJson ids_to_json(const std::vector<std::int32_t>& ids) {
  if (ids.empty()) return nullptr;
  if (ids.size() == 1) return ids.front();
  return ids;
}

OrderedJson id_to_json(const std::optional<std::int32_t>& id) {
  return id ? OrderedJson(*id) : OrderedJson(nullptr);
}

}  // namespace

void check_config(const ModelConfig& config) {
  const std::pair<const char*, int> positive[] = {
      {"vocab_size", config.vocab_size},
      {"hidden_size", config.hidden_size},
      {"intermediate_size", config.intermediate_size},
      {"num_hidden_layers", config.num_hidden_layers},
      {"num_attention_heads", config.num_attention_heads},
      {"num_key_value_heads", config.num_key_value_heads},
      {"head_dim", config.head_dim},
      {"max_position_embeddings", config.max_position_embeddings}};
  constexpr int kLargest = 1 << 24;
  for (const auto& [key, value] : positive) {
    if (value > 0 && value <= kLargest) continue;
    throw Error(ErrorKind::usage, "key \"" + std::string(key) + "\": found " +
                                      std::to_string(value) + ", expected a number from 1 to " +
                                      std::to_string(kLargest));
  }
  if (config.num_attention_heads % config.num_key_value_heads != 0) {
    throw Error(ErrorKind::usage, "num_attention_heads (" +
                                      std::to_string(config.num_attention_heads) +
                                      ") must be a multiple of num_key_value_heads (" +
                                      std::to_string(config.num_key_value_heads) + ")");
  }
  if (config.head_dim % 2 != 0) {
    throw Error(ErrorKind::usage,
                "head_dim (" + std::to_string(config.head_dim) + ") must be even");
  }
  if (!(config.rms_norm_eps > 0) || !(config.rope_theta > 0) || !(config.initializer_range > 0)) {
    throw Error(ErrorKind::usage, "rms_norm_eps, rope_theta and initializer_range must be above 0");
  }
}

ModelConfig read_config(const Path& folder) {
  const Path file = folder / "config.json";
  if (!std::filesystem::exists(file)) {
    throw Error(
        ErrorKind::data, folder.string() + ": not a student folder: config.json is missing",
        "name a Hugging Face folder with config.json, model.safetensors and tokenizer.json");
  }
  const std::string where = file.string();
  const Json json = parse_json(read_file(file), where);
  if (!json.is_object()) throw Error(ErrorKind::data, where + ": expected a JSON object");
  check_architecture(json, file);
  ModelConfig config;
  read_sizes(json, where, config);
  config.rms_norm_eps = json_get_or<double>(json, "rms_norm_eps", 1e-6, where);
  config.rope_theta = read_rope_theta(json, file);
  config.tie_word_embeddings = json_get_or<bool>(json, "tie_word_embeddings", false, where);
  config.initializer_range = json_get_or<double>(json, "initializer_range", 0.02, where);
  config.bos_token_id = read_id(json, "bos_token_id", where);
  config.eos_token_ids = read_ids(json, "eos_token_id", where);
  config.pad_token_id = read_id(json, "pad_token_id", where);
  const Path generation = folder / "generation_config.json";
  if (std::filesystem::exists(generation)) {
    const Json more = parse_json(read_file(generation), generation.string());
    const std::vector<std::int32_t> ids = read_ids(more, "eos_token_id", generation.string());
    if (!ids.empty()) config.eos_token_ids = ids;
  }
  try {
    check_config(config);
  } catch (const Error& e) {
    throw Error(ErrorKind::data, where + ": " + e.what(), e.hint());
  }
  return config;
}

void write_config(const ModelConfig& config, const Path& folder) {
  OrderedJson json;
  json["architectures"] = {"LlamaForCausalLM"};
  json["attention_bias"] = false;
  json["attention_dropout"] = 0.0;
  json["bos_token_id"] = id_to_json(config.bos_token_id);
  json["eos_token_id"] = ids_to_json(config.eos_token_ids);
  json["head_dim"] = config.head_dim;
  json["hidden_act"] = "silu";
  json["hidden_size"] = config.hidden_size;
  json["initializer_range"] = config.initializer_range;
  json["intermediate_size"] = config.intermediate_size;
  json["max_position_embeddings"] = config.max_position_embeddings;
  json["mlp_bias"] = false;
  json["model_type"] = "llama";
  json["num_attention_heads"] = config.num_attention_heads;
  json["num_hidden_layers"] = config.num_hidden_layers;
  json["num_key_value_heads"] = config.num_key_value_heads;
  json["pad_token_id"] = id_to_json(config.pad_token_id);
  json["rms_norm_eps"] = config.rms_norm_eps;
  json["rope_scaling"] = nullptr;
  json["rope_theta"] = config.rope_theta;
  json["tie_word_embeddings"] = config.tie_word_embeddings;
  json["torch_dtype"] = "float32";
  json["use_cache"] = true;
  json["vocab_size"] = config.vocab_size;
  write_file(folder / "config.json", json.dump(2) + "\n");

  OrderedJson generation;
  generation["_from_model_config"] = true;
  generation["bos_token_id"] = id_to_json(config.bos_token_id);
  generation["eos_token_id"] = ids_to_json(config.eos_token_ids);
  generation["pad_token_id"] = id_to_json(config.pad_token_id);
  write_file(folder / "generation_config.json", generation.dump(2) + "\n");
}

}  // namespace tapir::student
