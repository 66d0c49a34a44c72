// What the tests of the torch engine share. They run on the device that TAPIR_TEST_DEVICE names,
// and skip with the reason where that cannot be used.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include "base/error.h"
#include "base/random.h"
#include "student/batching.h"
#include "student/parameters.h"
#include "student/torch_device.h"

namespace tapir::testing {

// The base of fixtures.
class OnDevice {
 public:
  OnDevice() {
    at::set_num_threads(1);  // as the engine does
    try {
      device = student::find_device(TAPIR_TEST_DEVICE);
    } catch (const Error& e) {
      reason = e.what();
    }
  }
  student::Device device;
  std::string reason;  // why the device cannot be used
};

// Norm of the difference over the norm.
inline double relative_difference(const float* found, const float* expected, std::int64_t size) {
  double difference = 0;
  double norm = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    difference += std::pow(static_cast<double>(found[i]) - static_cast<double>(expected[i]), 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / norm);
}

inline std::vector<float> to_vector(const at::Tensor& tensor) {
  const at::Tensor host = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
  const float* values = host.const_data_ptr<float>();
  return {values, values + host.numel()};
}

// A configuration with something of every family in it.
struct Variant {
  const char* name;
  bool biases, qk_norm, tied;
  int window;
  student::RopeType rope;
};
inline std::ostream& operator<<(std::ostream& out, const Variant& variant) {
  return out << variant.name;
}
inline constexpr Variant kVariants[] = {
    {"plain", false, false, true, 0, student::RopeType::standard},
    {"biases", true, false, false, 0, student::RopeType::linear},
    {"qk_norm", false, true, true, 0, student::RopeType::llama3},
    {"window", true, true, false, 7, student::RopeType::standard}};

inline student::ModelConfig config_of(const Variant& variant) {
  student::ModelConfig config;
  config.vocab_size = 70;
  config.hidden_size = 40;
  config.intermediate_size = 56;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 16;
  config.max_position_embeddings = 96;
  config.qkv_bias = config.o_bias = config.mlp_bias = variant.biases;
  config.qk_norm = variant.qk_norm;
  config.sliding_window = variant.window;
  config.tie_word_embeddings = variant.tied;
  config.rope_scaling.type = variant.rope;
  config.rope_scaling.factor = 2;
  config.rope_scaling.original_max_position_embeddings = 32;
  return config;
}

inline std::vector<float> random_weights(const student::ModelConfig& config) {
  RandomStream random(9, "test", "torch");
  std::vector<float> weights(static_cast<std::size_t>(student::make_layout(config).size));
  for (float& value : weights) value = static_cast<float>(0.15 * random.normal());
  return weights;
}

// Sequences of 3 to 50 tokens, some of them supervised.
inline student::PackedBatch random_batch(int sequences) {
  RandomStream random(10, "test", "torch");
  student::PackedBatch batch;
  for (int i = 0; i < sequences; ++i) {
    std::vector<std::int32_t> tokens;
    std::vector<std::uint8_t> loss;
    for (int length = random.between(3, 50); length > 0; --length) {
      tokens.push_back(random.between(0, 69));
      loss.push_back(!loss.empty() && random.chance(0.6) ? 1 : 0);
    }
    student::append_sequence(batch, tokens, loss);
  }
  return batch;
}

}  // namespace tapir::testing
