#include "student/parameters.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "student/families.h"

namespace tapir::student {
namespace {

constexpr const char* kHead = "lm_head.weight";
// Buffers that old versions of transformers saved; they follow from the config.
constexpr std::string_view kBufferSuffix = "rotary_emb.inv_freq";

class LayoutBuilder {
 public:
  std::int64_t add(std::string name, std::vector<std::int64_t> shape, ParameterKind kind) {
    std::int64_t size = 1;
    for (const std::int64_t extent : shape) size *= extent;
    const std::int64_t offset = layout.size;
    layout.parameters.push_back({std::move(name), std::move(shape), offset, size, kind});
    layout.size += size;
    return offset;
  }
  std::int64_t add_norm(std::string name, std::int64_t width) {
    return add(std::move(name), {width}, ParameterKind::norm);
  }
  // A linear layer that the file holds in parts, one below the other.
  Linear add_linear(const std::string& prefix, const std::vector<NamedRows>& parts, long in,
                    bool bias) {
    Linear linear;
    linear.in = in;
    linear.weight = layout.size;
    for (const NamedRows& part : parts) {
      add(prefix + std::string(part.name) + ".weight", {part.rows, in}, ParameterKind::matrix);
      linear.out += part.rows;
    }
    if (!bias) return linear;
    linear.bias = layout.size;
    for (const NamedRows& part : parts) {
      add(prefix + std::string(part.name) + ".bias", {part.rows}, ParameterKind::bias);
    }
    return linear;
  }
  ParameterLayout layout;
};

LayerOffsets add_layer(LayoutBuilder& builder, const ModelConfig& config, int layer) {
  const std::string prefix = "model.layers." + std::to_string(layer) + ".";
  const long hidden = config.hidden_size;
  const LayerNames names = layer_names(config);
  LayerOffsets offsets;
  offsets.window = config.window_of(layer);
  offsets.input_layernorm = builder.add_norm(prefix + "input_layernorm.weight", hidden);
  offsets.qkv_proj = builder.add_linear(prefix, names.qkv_proj, hidden, config.qkv_bias);
  if (config.qk_norm) {
    offsets.q_norm = builder.add_norm(prefix + "self_attn.q_norm.weight", config.head_dim);
    offsets.k_norm = builder.add_norm(prefix + "self_attn.k_norm.weight", config.head_dim);
  }
  offsets.o_proj = builder.add_linear(prefix, {{"self_attn.o_proj", hidden}}, config.query_width(),
                                      config.o_bias);
  offsets.post_attention_layernorm =
      builder.add_norm(prefix + "post_attention_layernorm.weight", hidden);
  offsets.gate_up_proj = builder.add_linear(prefix, names.gate_up_proj, hidden, config.mlp_bias);
  offsets.down_proj = builder.add_linear(prefix, {{"mlp.down_proj", hidden}},
                                         config.intermediate_size, config.mlp_bias);
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

void check_tensors(const ParameterLayout& layout, const ModelConfig& config,
                   const WeightFiles& file) {
  std::string what =
      describe_mismatch(layout.parameters, file.tensors(), "config.json",
                        [&](const std::string& name) { return may_be_ignored(name, config); });
  std::vector<std::string> types;
  for (const Parameter& parameter : layout.parameters) {
    const auto found = file.tensors().find(parameter.name);
    if (found == file.tensors().end()) continue;
    const DataType type = found->second.type;
    if (type != DataType::f32 && type != DataType::bf16 && type != DataType::f16)
      types.push_back(parameter.name + " " + std::string(to_string(type)));
  }
  if (!types.empty()) what += "; neither F32, F16 nor BF16: " + list(types);
  if (what.empty()) return;
  throw Error(ErrorKind::data, file.main_file().string() + ": does not fit config.json" + what,
              "config.json and the weights must come from the same model");
}

}  // namespace

ParameterLayout make_layout(const ModelConfig& config) {
  LayoutBuilder builder;
  const long vocab = config.vocab_size;
  const long hidden = config.hidden_size;
  builder.layout.embed_tokens =
      builder.add("model.embed_tokens.weight", {vocab, hidden}, ParameterKind::matrix);
  for (int layer = 0; layer < config.num_hidden_layers; ++layer) {
    const LayerOffsets offsets = add_layer(builder, config, layer);
    builder.layout.layers.push_back(offsets);
  }
  builder.layout.norm = builder.add_norm("model.norm.weight", hidden);
  builder.layout.lm_head = {vocab, hidden, builder.layout.embed_tokens};
  if (!config.tie_word_embeddings) {
    builder.layout.lm_head = builder.add_linear("", {{"lm_head", vocab}}, hidden, /*bias=*/false);
  }
  return std::move(builder.layout);
}

std::string describe_mismatch(const std::vector<Parameter>& expected,
                              const std::map<std::string, TensorView>& found,
                              std::string_view authority,
                              const std::function<bool(const std::string&)>& may_be_there) {
  std::vector<std::string> missing;
  std::vector<std::string> wrong;
  std::set<std::string> known;
  for (const Parameter& parameter : expected) {
    known.insert(parameter.name);
    const auto tensor = found.find(parameter.name);
    if (tensor == found.end()) {
      missing.push_back(parameter.name);
    } else if (tensor->second.shape != parameter.shape) {
      wrong.push_back(parameter.name + " " + shape_text(tensor->second.shape) + " where " +
                      std::string(authority) + " says " + shape_text(parameter.shape));
    }
  }
  std::vector<std::string> unknown;
  for (const auto& [name, view] : found) {
    if (!known.contains(name) && !(may_be_there && may_be_there(name))) unknown.push_back(name);
  }
  std::string what;
  if (!missing.empty()) what += "; missing: " + list(missing);
  if (!unknown.empty()) what += "; unknown: " + list(unknown);
  if (!wrong.empty()) what += "; wrong shape: " + list(wrong);
  return what;
}

StoredParameters::StoredParameters(const ParameterLayout& layout, const ModelConfig& config,
                                   const std::filesystem::path& folder)
    : files_(folder) {
  check_tensors(layout, config, files_);
}

void StoredParameters::read(const Parameter& parameter, float* out) const {
  to_floats(view(parameter), out, parameter.name);
}

void read_parameters(const ParameterLayout& layout, const ModelConfig& config,
                     const std::filesystem::path& folder, float* out) {
  const StoredParameters stored(layout, config, folder);
  for (const Parameter& parameter : layout.parameters) {
    stored.read(parameter, out + parameter.offset);
    stored.let_go(parameter);
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
                      const std::filesystem::path& folder, const WeightFileOptions& options) {
  write_weight_files(folder, named_tensors(layout, values, ""), options);
}

}  // namespace tapir::student
