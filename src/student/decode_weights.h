// A student's weights in the form that decoding works on. No torch here.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "student/config.h"
#include "student/decode_kernels.h"
#include "student/float_buffer.h"
#include "student/kernels.h"
#include "student/parameters.h"

namespace tapir::student {

// A parameter's values, row-major; they need not be aligned.
struct StoredValues {
  WeightType type;
  const void* data;
};
// Asked once for each parameter; what it returns is used until it is asked again.
using ParameterSource = std::function<StoredValues(const Parameter&)>;

// Matrices are packed once and stay in the type they are stored in: a student takes the memory of
// its own files, whatever becomes of the source. Results are those of fp32 weights of the same
// values (not with `bf16`). Immutable; shared by all workers.
class DecodeWeights {
 public:
  // bf16: matrices are rounded to bf16, products are those of bf16_decode_kernels(). REQUIRES then
  // that there are such.
  DecodeWeights(const ModelConfig& config, const ParameterLayout& layout,
                const ParameterSource& source, const Kernels& kernels = student::kernels(),
                bool bf16 = false);
  // From one array of floats, laid out as the layout says.
  DecodeWeights(const ModelConfig& config, const ParameterLayout& layout, const float* parameters,
                const Kernels& kernels = student::kernels());

  struct Matrix {
    PackedMatrix weight;
    const float* bias;  // [out]; null: none
  };
  struct Layer {
    const float* input_layernorm;
    const float* q_norm;  // [head_dim]; null: none, as k_norm
    const float* k_norm;
    const float* post_attention_layernorm;
    Matrix qkv_proj;
    Matrix o_proj;
    Matrix gate_up_proj;
    Matrix down_proj;
    long window;  // positions that a token sees, its own included; 0: all
  };

  const ModelConfig config;
  const std::int64_t parameter_count;
  const Kernels& kernels;
  const DecodeKernels& decode;
  Matrix embed_tokens;  // [vocab, hidden]; lm_head when tied
  const float* norm;    // [hidden]
  Matrix lm_head;
  std::vector<Layer> layers;

  std::int64_t bytes() const { return bytes_; }  // of all weights

 private:
  float* take(std::int64_t bytes);

  std::vector<FloatBuffer> memory_;
  std::int64_t bytes_ = 0;
};

}  // namespace tapir::student
