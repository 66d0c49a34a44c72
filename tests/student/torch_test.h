// What the tests of the torch engine share. They run on the device that TAPIR_TEST_DEVICE names,
// and skip with the reason where that cannot be used.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include "base/error.h"
#include "base/random.h"
#include "student/differences.h"
#include "student/parameters.h"
#include "student/random_student.h"
#include "student/rows.h"
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
  student::ModelConfig config = small_config();
  config.head_dim = 16;
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
  return random_floats(student::make_layout(config).size, "torch", 0.15);
}

// Sequences of 3 to 50 tokens, some of them supervised.
inline student::PackedBatch random_batch(int sequences) {
  RandomStream random(10, "test", "torch");
  return packed_together(random_rows(random, sequences));
}

}  // namespace tapir::testing
