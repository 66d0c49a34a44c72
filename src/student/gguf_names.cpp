#include "student/gguf_names.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/strings.h"

namespace tapir::student {
namespace {

using Name = std::pair<std::string_view, std::string_view>;

// Mistral has no architecture of its own in llama.cpp.
constexpr std::array<Name, 5> kArchitectures = {{{"LlamaForCausalLM", "llama"},
                                                 {"MistralForCausalLM", "llama"},
                                                 {"Qwen2ForCausalLM", "qwen2"},
                                                 {"Qwen3ForCausalLM", "qwen3"},
                                                 {"Phi3ForCausalLM", "phi3"}}};

constexpr std::array<Name, 3> kModelNames = {
    {{"model.embed_tokens", "token_embd"}, {"model.norm", "output_norm"}, {"lm_head", "output"}}};

// Behind "model.layers.<i>." and "blk.<i>.".
constexpr std::array<Name, 13> kLayerNames = {{{"input_layernorm", "attn_norm"},
                                               {"self_attn.q_proj", "attn_q"},
                                               {"self_attn.k_proj", "attn_k"},
                                               {"self_attn.v_proj", "attn_v"},
                                               {"self_attn.qkv_proj", "attn_qkv"},
                                               {"self_attn.o_proj", "attn_output"},
                                               {"self_attn.q_norm", "attn_q_norm"},
                                               {"self_attn.k_norm", "attn_k_norm"},
                                               {"post_attention_layernorm", "ffn_norm"},
                                               {"mlp.gate_proj", "ffn_gate"},
                                               {"mlp.up_proj", "ffn_up"},
                                               {"mlp.gate_up_proj", "ffn_up"},
                                               {"mlp.down_proj", "ffn_down"}}};

constexpr std::string_view kLayerPrefix = "model.layers.";

template <std::size_t size>
std::optional<std::string> find(const std::array<Name, size>& names, std::string_view name) {
  const auto found =
      std::find_if(names.begin(), names.end(), [&](const Name& row) { return row.first == name; });
  return found == names.end() ? std::nullopt : std::optional<std::string>(found->second);
}

}  // namespace

std::string gguf_architecture(const ModelConfig& config) {
  const auto found = find(kArchitectures, config.architecture);
  if (found) return *found;
  throw Error(ErrorKind::data, "architecture " + config.architecture + " has no GGUF export",
              "supported: LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, "
              "Qwen3ForCausalLM, Phi3ForCausalLM");
}

std::optional<std::string> gguf_tensor_name(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == name.npos) return std::nullopt;
  const std::string_view kind = name.substr(dot);  // ".weight" or ".bias"
  std::string_view part = name.substr(0, dot);
  if (kind != ".weight" && kind != ".bias") return std::nullopt;
  std::string prefix;
  std::optional<std::string> found;
  if (part.starts_with(kLayerPrefix)) {
    part.remove_prefix(kLayerPrefix.size());
    const std::size_t end = part.find('.');
    if (end == part.npos) return std::nullopt;
    prefix = "blk." + std::string(part.substr(0, end)) + ".";
    found = find(kLayerNames, part.substr(end + 1));
  } else {
    found = find(kModelNames, part);
  }
  if (!found) return std::nullopt;
  return prefix + *found + std::string(kind);
}

bool is_rotated_by_neighbours(const ModelConfig& config, std::string_view name) {
  return gguf_architecture(config) == "llama" && (name.find("self_attn.q_proj.") != name.npos ||
                                                  name.find("self_attn.k_proj.") != name.npos);
}

std::string gguf_model_name(std::string name, bool swallows) {
  const auto find_mark = [&] {
    const std::string lower = lower_ascii(name);
    return std::min(lower.find("phi-3"), lower.find("phi3"));
  };
  if (swallows) return find_mark() == name.npos ? name + " (phi-3)" : name;
  constexpr std::size_t kWord = 3;  // "phi"
  for (std::size_t at = find_mark(); at != name.npos; at = find_mark()) {
    if (name[at + kWord] == '-') name.erase(at + kWord, 1);
    name.insert(at + kWord, "_");
  }
  return name;
}

void add_gguf_sizes(const ModelConfig& config, GgufMetadata& metadata) {
  const std::string prefix = gguf_architecture(config) + ".";
  const auto number = [&](const char* key, int value) {
    metadata.add(prefix + key, static_cast<std::uint32_t>(value));
  };
  number("vocab_size", config.vocab_size);
  number("context_length", config.max_position_embeddings);
  number("embedding_length", config.hidden_size);
  number("block_count", config.num_hidden_layers);
  number("feed_forward_length", config.intermediate_size);
  number("attention.head_count", config.num_attention_heads);
  number("attention.head_count_kv", config.num_key_value_heads);
  number("attention.key_length", config.head_dim);
  number("attention.value_length", config.head_dim);
  number("rope.dimension_count", config.head_dim);
  metadata.add(prefix + "rope.freq_base", static_cast<float>(config.rope_theta));
  metadata.add(prefix + "attention.layer_norm_rms_epsilon",
               static_cast<float>(config.rms_norm_eps));
  if (config.rope_scaling.type == RopeType::linear) {
    metadata.add(prefix + "rope.scaling.type", "linear");
    metadata.add(prefix + "rope.scaling.factor", static_cast<float>(config.rope_scaling.factor));
  }
}

}  // namespace tapir::student
