// Low-rank adapters (LoRA) of a student's linear layers: y = W x + scale * B A dropout(x), with W
// frozen. What is learnt is one array of floats, laid out like a student's own parameters. Names,
// initialisation and arithmetic as in PEFT (LoraConfig, lora.Linear). No torch here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "student/parameters.h"

namespace tapir::student {

// The fields of adapter_config.json that this student knows.
struct AdapterConfig {
  std::string base_model_name_or_path;
  int r = 8;
  double lora_alpha = 16;
  double lora_dropout = 0;  // of the input of A, in training only: [0, 1)
  bool use_rslora = false;
  std::vector<std::string> target_modules;  // "q_proj", ...; empty: every linear layer

  // What B A is multiplied with: lora_alpha / r, with rsLoRA lora_alpha / sqrt(r).
  double scale(std::int64_t rank) const;
};

// One pair of matrices beside one linear layer.
struct LowRankPair {
  std::string module;       // "model.layers.0.self_attn.q_proj"
  std::int64_t group = 0;   // Linear::weight of the group that W is a part of (q, k and v are one)
  std::int64_t column = 0;  // where W's outputs begin among the group's
  std::int64_t in = 0, out = 0, rank = 0;
  float scale = 1;
  std::int64_t a = 0;       // offset of A [rank, in] in the adapter's array
  std::int64_t b = 0;       // offset of B [out, rank]
  std::int64_t weight = 0;  // offset of W [out, in] in the base's array
};

// "q_proj" of "model.layers.0.self_attn.q_proj": what target_modules calls it.
std::string target_name(const std::string& module);

struct AdapterLayout {
  ParameterLayout values;          // parameters (named as in the file) and size only
  std::vector<LowRankPair> pairs;  // in the order of the base's parameters
};

// The pairs that `config` asks for. Error{usage} naming target modules that the student does not
// have, with those it has.
AdapterLayout make_adapter_layout(const ParameterLayout& base, const AdapterConfig& config);

// A from uniform(-1, 1) / sqrt(in), drawn from the stream (seed, "lora", name); B zero: a fresh
// adapter changes nothing. values: layout.values.size floats.
void initialise_adapter(const AdapterLayout& layout, std::uint64_t seed, float* values);

// base += scale * B A, pair by pair.
void merge_adapter(const AdapterLayout& layout, const float* values, float* base);

// A digest of the base's names, shapes and a sample of its weights as bfloat16: tells bases apart
// at little cost, however they are stored.
std::string base_digest(const ParameterLayout& base, const float* values);

}  // namespace tapir::student
