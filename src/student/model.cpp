#include "student/model.h"

#include <initializer_list>

#include <ATen/ops/empty.h>
#include <torch/headeronly/version.h>

namespace tapir::student {
namespace {

static_assert(
    TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 11,
    "headers of another libtorch are in the way: the wheel's include directory must come first");

at::Tensor view_at(const at::Tensor& parameters, std::int64_t offset,
                   std::initializer_list<std::int64_t> shape) {
  std::int64_t size = 1;
  for (const std::int64_t extent : shape) size *= extent;
  return parameters.narrow(0, offset, size).view(shape);
}

LayerWeights make_layer(const ModelConfig& config, const LayerOffsets& at_offset,
                        const at::Tensor& parameters) {
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t inner = config.intermediate_size;
  const std::int64_t query = config.query_width();
  const std::int64_t kv = config.key_value_width();
  LayerWeights layer;
  layer.input_layernorm = view_at(parameters, at_offset.input_layernorm, {hidden});
  layer.qkv_proj = view_at(parameters, at_offset.qkv_proj, {query + 2 * kv, hidden});
  layer.q_proj = layer.qkv_proj.narrow(0, 0, query);
  layer.k_proj = layer.qkv_proj.narrow(0, query, kv);
  layer.v_proj = layer.qkv_proj.narrow(0, query + kv, kv);
  layer.o_proj = view_at(parameters, at_offset.o_proj, {hidden, query});
  layer.post_attention_layernorm =
      view_at(parameters, at_offset.post_attention_layernorm, {hidden});
  layer.gate_up_proj = view_at(parameters, at_offset.gate_up_proj, {2 * inner, hidden});
  layer.gate_proj = layer.gate_up_proj.narrow(0, 0, inner);
  layer.up_proj = layer.gate_up_proj.narrow(0, inner, inner);
  layer.down_proj = view_at(parameters, at_offset.down_proj, {hidden, inner});
  return layer;
}

}  // namespace

Weights make_weights(const ModelConfig& config, const ParameterLayout& layout,
                     const at::Tensor& parameters) {
  Weights weights;
  const std::int64_t vocab = config.vocab_size;
  const std::int64_t hidden = config.hidden_size;
  weights.embed_tokens = view_at(parameters, layout.embed_tokens, {vocab, hidden});
  for (const LayerOffsets& layer : layout.layers)
    weights.layers.push_back(make_layer(config, layer, parameters));
  weights.norm = view_at(parameters, layout.norm, {hidden});
  weights.lm_head = view_at(parameters, layout.lm_head, {vocab, hidden});
  return weights;
}

std::shared_ptr<const Model> load_model(const std::filesystem::path& folder) {
  auto model = std::make_shared<Model>();
  model->config = read_config(folder);
  model->layout = make_layout(model->config);
  model->parameters = at::empty({model->layout.size}, at::TensorOptions().dtype(at::kFloat));
  read_parameters(model->layout, model->config, folder,
                  model->parameters.mutable_data_ptr<float>());
  model->weights = make_weights(model->config, model->layout, model->parameters);
  return model;
}

}  // namespace tapir::student
