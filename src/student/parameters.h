// The weights of a student as one array of floats: which parameter lies where, and what Hugging
// Face calls it. The order is embed_tokens, layers, norm, lm_head, without gaps; q, k and v of a
// layer lie side by side, so do gate and up, so that each group is one matrix. No torch here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "student/config.h"
#include "student/weight_files.h"

namespace tapir::student {

enum class ParameterKind { matrix, norm, bias };

struct Parameter {
  std::string name;                 // as in model.safetensors
  std::vector<std::int64_t> shape;  // [out, in] of a matrix, [width] of a norm or a bias
  std::int64_t offset = 0;          // of the first element
  std::int64_t size = 0;            // elements
  ParameterKind kind = ParameterKind::matrix;
  bool decays() const { return kind == ParameterKind::matrix; }  // as in transformers' Trainer
};

constexpr std::int64_t kNoParameter = -1;

// A linear layer: its extents, and the offsets of its parameters.
struct Linear {
  long out = 0;
  long in = 0;
  std::int64_t weight = 0;           // [out, in]
  std::int64_t bias = kNoParameter;  // [out]
  bool has_bias() const { return bias != kNoParameter; }
};

// Where one layer's groups lie, and what is peculiar to the layer.
struct LayerOffsets {
  std::int64_t input_layernorm = 0;           // [hidden]
  Linear qkv_proj;                            // hidden to (heads + 2 kv heads) * head_dim
  std::int64_t q_norm = kNoParameter;         // [head_dim]; both or none
  std::int64_t k_norm = kNoParameter;         // [head_dim]
  Linear o_proj;                              // heads * head_dim to hidden
  std::int64_t post_attention_layernorm = 0;  // [hidden]
  Linear gate_up_proj;                        // hidden to 2 * intermediate
  Linear down_proj;                           // intermediate to hidden
  long window = 0;  // positions that a token sees, its own included; 0: all
};

struct ParameterLayout {
  std::vector<Parameter> parameters;  // in the order of the array
  std::vector<LayerOffsets> layers;
  std::int64_t embed_tokens = 0;  // [vocab, hidden]
  std::int64_t norm = 0;          // [hidden]
  Linear lm_head;                 // hidden to vocab; the weight is embed_tokens when tied
  std::int64_t size = 0;          // elements in all
};

ParameterLayout make_layout(const ModelConfig& config);

// How tensors differ from the parameters that are expected: "; missing: a; unknown: b; wrong shape:
// c [2] where config.json says [3]", the first names of each; empty when they fit. authority: what
// says that they are expected. may_be_there: of names that are let pass; null: none.
std::string describe_mismatch(
    const std::vector<Parameter>& expected, const std::map<std::string, TensorView>& found,
    std::string_view authority,
    const std::function<bool(const std::string&)>& may_be_there = nullptr);

// The weights of a folder as they are stored, by memory map: no copy is made. Thread-safe.
class StoredParameters {
 public:
  // Error{data} lists the names that are missing, unknown, or of a shape that contradicts
  // config.json, and those that are neither F32, F16 nor BF16. A tied student's redundant
  // lm_head.weight is let pass.
  StoredParameters(const ParameterLayout& layout, const ModelConfig& config,
                   const std::filesystem::path& folder);

  // Row-major; lives as long as the object; need not be aligned.
  const TensorView& view(const Parameter& parameter) const {
    return files_.tensors().at(parameter.name);
  }
  // As floats: out [parameter.size].
  void read(const Parameter& parameter, float* out) const;
  // Gives back the memory of a parameter that has been read; looked at again, it is read again.
  void let_go(const Parameter& parameter) const { files_.let_go(parameter.name); }

 private:
  WeightFiles files_;
};

// Reads the weights of a folder into `out` (layout.size floats), tensor by tensor: beside `out`, no
// more than one tensor takes memory at a time. Error{data} as StoredParameters.
void read_parameters(const ParameterLayout& layout, const ModelConfig& config,
                     const std::filesystem::path& folder, float* out);

// Writes the weights into a folder, as write_weight_files().
void write_parameters(const ParameterLayout& layout, const float* values,
                      const std::filesystem::path& folder, const WeightFileOptions& options = {});

// The layout's parameters as tensors under "<prefix><name>", for files that hold more than the
// weights.
std::vector<NamedTensor> named_tensors(const ParameterLayout& layout, const float* values,
                                       std::string_view prefix);

}  // namespace tapir::student
