// What llama.cpp calls the tensors and keys of our families.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "student/config.h"
#include "student/gguf_writer.h"

namespace tapir::student {

// "llama", "qwen2", "qwen3", "phi3". Error{data} for an architecture that has no row.
std::string gguf_architecture(const ModelConfig& config);

// "model.layers.3.mlp.up_proj.weight" -> "blk.3.ffn_up.weight"; none: not a tensor of ours.
std::optional<std::string> gguf_tensor_name(std::string_view name);

// llama.cpp turns neighbouring elements of a head of its "llama" architecture where transformers
// turns the two halves against each other: rows of q_proj and k_proj change places within each
// head.
bool is_rotated_by_neighbours(const ModelConfig& config, std::string_view name);

// general.name. llama.cpp goes by it: in a model whose name holds "phi-3" or "phi3", control tokens
// swallow the blanks behind them, and a vocabulary without Phi-3's tokens does not load. So the
// name says it exactly when `swallows`: the tokenizer is one of those.
std::string gguf_model_name(std::string name, bool swallows);

// The keys of the architecture: sizes, norm, rotary positions.
void add_gguf_sizes(const ModelConfig& config, GgufMetadata& metadata);

}  // namespace tapir::student
