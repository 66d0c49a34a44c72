// What the families add to a tiny configuration, so that one test can go over all of them.
#pragma once

#include <string>

#include "student/config.h"

namespace tapir::testing {

inline constexpr const char* kFamilyNames[] = {"Llama", "Mistral", "Qwen2", "Qwen3", "Phi3"};

// The configuration as a family: each has something that Llama 2 has not, and Llama is 3.1 with
// biases.
inline student::ModelConfig as_family(student::ModelConfig config, const std::string& name) {
  config.architecture = name + "ForCausalLM";
  if (name == "Llama") {
    config.rope_scaling = {student::RopeType::llama3, 8, 1, 4, 16};
    config.qkv_bias = config.o_bias = config.mlp_bias = true;
  } else if (name == "Mistral") {
    config.sliding_window = 9;
  } else if (name == "Qwen2") {
    config.qkv_bias = true;
    config.sliding_window = 7;
    config.sliding_layers.assign(static_cast<std::size_t>(config.num_hidden_layers), true);
    config.sliding_layers.front() = false;
  } else if (name == "Qwen3") {
    config.qk_norm = true;
  } else {
    config.sliding_window = 12;
  }
  return config;
}

}  // namespace tapir::testing
