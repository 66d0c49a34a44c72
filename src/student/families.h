// The families of models that a student can be: what tells one from another, as a table. A new
// family is a row of the table in families.cpp, with two functions where its config.json has keys
// of its own. No torch here.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "student/config.h"
#include "student/config_reader.h"

namespace tapir::student {

struct Family {
  std::string_view architecture;  // in config.json's "architectures"
  std::string_view model_type;
  // The weights' file holds q, k and v of a layer as one matrix, gate and up too.
  bool fused_projections = false;
  // Where config.json is silent, as the family's configuration class in transformers has it.
  int num_key_value_heads = 0;  // 0: as many as num_attention_heads
  int head_dim = 0;             // 0: hidden_size / num_attention_heads
  int max_position_embeddings = 0;
  double rms_norm_eps = 1e-6;
  // What only this family has, from and to config.json.
  void (*read)(ConfigReader& reader, ModelConfig& config) = nullptr;
  void (*write)(const ModelConfig& config, Json& json) = nullptr;
};

std::span<const Family> families();

// Of ModelConfig::architecture. Error{usage} that lists the known ones.
const Family& family_of(std::string_view architecture);

// Of config.json: by "architectures", else by "model_type". Error{data} that lists the known ones.
const Family& find_family(ConfigReader& reader);

// Rows of a matrix under the name that the weights' file has for them, without ".weight".
struct NamedRows {
  std::string_view name;
  long rows;
};

// The parts of a layer's groups, in order, behind "model.layers.<i>.".
struct LayerNames {
  std::vector<NamedRows> qkv_proj;
  std::vector<NamedRows> gate_up_proj;
};
LayerNames layer_names(const ModelConfig& config);

}  // namespace tapir::student
