// A loaded student's weights as tensors: what generation builds on. Internal to student/ (ATen).
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "student/config.h"
#include "student/parameters.h"

namespace tapir::student {

// All tensors are contiguous float32 views of Model::parameters. A linear layer is y = x W^T with W
// [out, in].
struct LayerWeights {
  at::Tensor input_layernorm;  // [hidden]
  at::Tensor q_proj;           // [heads * head_dim, hidden]
  at::Tensor k_proj, v_proj;   // [kv heads * head_dim, hidden]
  at::Tensor qkv_proj;         // the three as one: [(heads + 2 kv heads) * head_dim, hidden]
  at::Tensor o_proj;           // [hidden, heads * head_dim]
  at::Tensor post_attention_layernorm;  // [hidden]
  at::Tensor gate_proj, up_proj;        // [intermediate, hidden]
  at::Tensor gate_up_proj;              // the two as one: [2 * intermediate, hidden]
  at::Tensor down_proj;                 // [hidden, intermediate]
};

struct Weights {
  at::Tensor embed_tokens;  // [vocab, hidden]
  std::vector<LayerWeights> layers;
  at::Tensor norm;     // [hidden]
  at::Tensor lm_head;  // [vocab, hidden]; the same memory as embed_tokens when tied
};

// Immutable after loading; thread-safe for reading. Not copied or moved: weights points into it.
struct Model {
  ModelConfig config;
  ParameterLayout layout;
  at::Tensor parameters;  // [layout.size], float32, 64-byte aligned
  Weights weights;
};

// Views of `parameters` by name.
Weights make_weights(const ModelConfig& config, const ParameterLayout& layout,
                     const at::Tensor& parameters);

// Error{data} as read_config() and read_parameters().
std::shared_ptr<const Model> load_model(const std::filesystem::path& folder);

}  // namespace tapir::student
