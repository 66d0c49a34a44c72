// The shape of a student, with the names of Hugging Face's config.json. What the families
// (families.h) say in words of their own is here in one form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace tapir::student {

// torch_dtype: how model.safetensors holds the weights.
enum class StorageType { float32, bfloat16, float16 };
constexpr std::string_view to_string(StorageType type) {
  switch (type) {
    case StorageType::bfloat16:
      return "bfloat16";
    case StorageType::float16:
      return "float16";
    case StorageType::float32:
      break;
  }
  return "float32";
}
// By its name in config.json; nothing: unknown.
constexpr std::optional<StorageType> parse_storage_type(std::string_view name) {
  for (const StorageType type : {StorageType::float32, StorageType::bfloat16, StorageType::float16})
    if (name == to_string(type)) return type;
  return std::nullopt;
}

enum class RopeType { standard, linear, llama3 };

// rope_scaling: how rotary positions are stretched beyond the context of the first training.
struct RopeScaling {
  RopeType type = RopeType::standard;
  double factor = 1;
  // Of llama3 only.
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  int original_max_position_embeddings = 8192;
  bool operator==(const RopeScaling&) const = default;
};

struct ModelConfig {
  std::string architecture = "LlamaForCausalLM";  // the family
  int vocab_size = 0;
  int hidden_size = 0;
  int intermediate_size = 0;
  int num_hidden_layers = 0;
  int num_attention_heads = 0;
  int num_key_value_heads = 0;  // fewer than num_attention_heads: grouped-query attention
  int head_dim = 0;             // even
  int max_position_embeddings = 2048;
  double rms_norm_eps = 1e-6;
  double rope_theta = 10000;
  RopeScaling rope_scaling;
  bool qkv_bias = false;  // of q_proj, k_proj and v_proj
  bool o_bias = false;    // of o_proj
  bool mlp_bias = false;  // of gate_proj, up_proj and down_proj
  bool qk_norm = false;   // queries and keys are normed head by head before the rotation
  // A token of a sliding layer sees so many positions, its own included; 0: no layer slides.
  int sliding_window = 0;
  std::vector<bool> sliding_layers;  // by layer; empty: all of them, when there is a window
  bool tie_word_embeddings = false;
  double initializer_range = 0.02;
  StorageType torch_dtype = StorageType::float32;
  std::optional<std::int32_t> bos_token_id;
  std::vector<std::int32_t> eos_token_ids;  // of generation_config.json where it has them
  std::optional<std::int32_t> pad_token_id;
  bool operator==(const ModelConfig&) const = default;

  int query_width() const { return num_attention_heads * head_dim; }
  int key_value_width() const { return num_key_value_heads * head_dim; }
  int qkv_width() const { return query_width() + 2 * key_value_width(); }
  // sliding_window of a layer, 0: it sees all positions.
  int window_of(int layer) const {
    return sliding_layers.empty() || sliding_layers[static_cast<std::size_t>(layer)]
               ? sliding_window
               : 0;
  }
};

// Error{usage} naming the first value that is impossible (a width of 0, heads that are no multiple
// of the kv heads).
void check_config(const ModelConfig& config);

// The contents of a config.json, as transformers 4 and 5 write it. Error{data} names `where` and
// the key that is missing or of the wrong type, or lists all keys that are unknown or ask for
// something that this student does not have (another activation, dropout, other rotary scalings).
ModelConfig parse_config(const Json& json, const std::string& where);

// Of a folder's config.json, with the end tokens of generation_config.json when it is there.
ModelConfig read_config(const std::filesystem::path& folder);

// Writes config.json and generation_config.json as transformers writes them.
void write_config(const ModelConfig& config, const std::filesystem::path& folder);

}  // namespace tapir::student
