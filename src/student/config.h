// The shape of a student, with the names of Hugging Face's config.json (LlamaForCausalLM).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace tapir::student {

struct ModelConfig {
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
  bool tie_word_embeddings = false;
  double initializer_range = 0.02;
  std::optional<std::int32_t> bos_token_id;
  std::vector<std::int32_t> eos_token_ids;  // of generation_config.json where it has them
  std::optional<std::int32_t> pad_token_id;
  bool operator==(const ModelConfig&) const = default;

  int query_width() const { return num_attention_heads * head_dim; }
  int key_value_width() const { return num_key_value_heads * head_dim; }
};

// Error{usage} naming the first value that is impossible (a width of 0, heads that are no multiple
// of the kv heads).
void check_config(const ModelConfig& config);

// Reads config.json, and the end tokens from generation_config.json when it is there. Error{data}
// names file and key: missing, of the wrong type, or asking for something that this student does
// not have (another architecture, scaled rotary positions, biases, another activation).
ModelConfig read_config(const std::filesystem::path& folder);

// Writes config.json and generation_config.json as transformers writes them.
void write_config(const ModelConfig& config, const std::filesystem::path& folder);

}  // namespace tapir::student
