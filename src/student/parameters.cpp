#include "student/parameters.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::student {
namespace {

constexpr const char* kWeightsFile = "model.safetensors";
constexpr const char* kHead = "lm_head.weight";
// Buffers that old versions of transformers saved; they follow from the config.
constexpr std::string_view kBufferSuffix = "rotary_emb.inv_freq";

class LayoutBuilder {
 public:
  std::int64_t add(std::string name, std::vector<std::int64_t> shape) {
    std::int64_t size = 1;
    for (const std::int64_t extent : shape) size *= extent;
    const std::int64_t offset = layout.size;
    layout.parameters.push_back({std::move(name), std::move(shape), offset, size});
    layout.size += size;
    return offset;
  }
  ParameterLayout layout;
};

LayerOffsets add_layer(LayoutBuilder& builder, const ModelConfig& config, int layer) {
  const std::string prefix = "model.layers." + std::to_string(layer) + ".";
  const std::int64_t hidden = config.hidden_size;
  const std::int64_t inner = config.intermediate_size;
  LayerOffsets offsets;
  offsets.input_layernorm = builder.add(prefix + "input_layernorm.weight", {hidden});
  offsets.qkv_proj =
      builder.add(prefix + "self_attn.q_proj.weight", {config.query_width(), hidden});
  builder.add(prefix + "self_attn.k_proj.weight", {config.key_value_width(), hidden});
  builder.add(prefix + "self_attn.v_proj.weight", {config.key_value_width(), hidden});
  offsets.o_proj = builder.add(prefix + "self_attn.o_proj.weight", {hidden, config.query_width()});
  offsets.post_attention_layernorm =
      builder.add(prefix + "post_attention_layernorm.weight", {hidden});
  offsets.gate_up_proj = builder.add(prefix + "mlp.gate_proj.weight", {inner, hidden});
  builder.add(prefix + "mlp.up_proj.weight", {inner, hidden});
  offsets.down_proj = builder.add(prefix + "mlp.down_proj.weight", {hidden, inner});
  return offsets;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::vector<std::string> parts;
  for (const std::int64_t extent : shape) parts.push_back(std::to_string(extent));
  std::string text = "[";
  text += join(parts, ", ");
  return text += "]";
}

// At most ten of them, so that a wrong folder does not fill the screen.
std::string list(const std::vector<std::string>& items) {
  constexpr std::size_t kShown = 10;
  const std::vector<std::string> shown(items.begin(),
                                       items.begin() + std::min(items.size(), kShown));
  std::string text = join(shown, ", ");
  if (items.size() > kShown) text += " and " + std::to_string(items.size() - kShown) + " more";
  return text;
}

bool may_be_ignored(const std::string& name, const ModelConfig& config) {
  return name.ends_with(kBufferSuffix) || (config.tie_word_embeddings && name == kHead);
}

void check_names(const ParameterLayout& layout, const ModelConfig& config,
                 const SafetensorsFile& file) {
  std::vector<std::string> missing;
  std::vector<std::string> unknown;
  std::vector<std::string> wrong;
  std::set<std::string> known;
  for (const Parameter& parameter : layout.parameters) {
    known.insert(parameter.name);
    const auto found = file.tensors().find(parameter.name);
    if (found == file.tensors().end()) {
      missing.push_back(parameter.name);
    } else if (found->second.shape != parameter.shape) {
      wrong.push_back(parameter.name + " " + shape_text(found->second.shape) +
                      " where config.json says " + shape_text(parameter.shape));
    }
  }
  for (const auto& [name, view] : file.tensors()) {
    if (!known.contains(name) && !may_be_ignored(name, config)) unknown.push_back(name);
  }
  std::string what;
  if (!missing.empty()) what += "; missing: " + list(missing);
  if (!unknown.empty()) what += "; unknown: " + list(unknown);
  if (!wrong.empty()) what += "; wrong shape: " + list(wrong);
  if (what.empty()) return;
  throw Error(ErrorKind::data, file.path().string() + ": does not fit config.json" + what,
              "config.json and model.safetensors must come from the same model");
}

}  // namespace

ParameterLayout make_layout(const ModelConfig& config) {
  LayoutBuilder builder;
  const std::int64_t vocab = config.vocab_size;
  const std::int64_t hidden = config.hidden_size;
  builder.layout.embed_tokens = builder.add("model.embed_tokens.weight", {vocab, hidden});
  for (int layer = 0; layer < config.num_hidden_layers; ++layer) {
    const LayerOffsets offsets = add_layer(builder, config, layer);
    builder.layout.layers.push_back(offsets);
  }
  builder.layout.norm = builder.add("model.norm.weight", {hidden});
  builder.layout.lm_head = config.tie_word_embeddings ? builder.layout.embed_tokens
                                                      : builder.add(kHead, {vocab, hidden});
  return std::move(builder.layout);
}

void read_parameters(const ParameterLayout& layout, const ModelConfig& config,
                     const std::filesystem::path& folder, float* out) {
  const std::filesystem::path path = folder / kWeightsFile;
  if (!std::filesystem::exists(path)) {
    throw Error(ErrorKind::data,
                folder.string() + ": not a student folder: model.safetensors is missing",
                "save the model as one safetensors file");
  }
  const SafetensorsFile file(path);
  check_names(layout, config, file);
  for (const Parameter& parameter : layout.parameters) {
    to_floats(file.tensors().at(parameter.name), out + parameter.offset,
              path.string() + ": tensor \"" + parameter.name + "\"");
  }
}

std::vector<NamedTensor> named_tensors(const ParameterLayout& layout, const float* values,
                                       std::string_view prefix) {
  std::vector<NamedTensor> tensors;
  for (const Parameter& parameter : layout.parameters) {
    const char* bytes = reinterpret_cast<const char*>(values + parameter.offset);
    const TensorView view{DataType::f32,
                          parameter.shape,
                          {bytes, static_cast<std::size_t>(parameter.size) * sizeof(float)}};
    tensors.push_back({std::string(prefix) + parameter.name, view});
  }
  return tensors;
}

void write_parameters(const ParameterLayout& layout, const float* values,
                      const std::filesystem::path& folder) {
  write_safetensors(folder / kWeightsFile, named_tensors(layout, values, ""), {{"format", "pt"}});
}

}  // namespace tapir::student
