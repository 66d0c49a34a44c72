// Training passes with bf16 products beside fp32: a stated tolerance.
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "student/bf16_kernels.h"
#include "student/decoder.h"

namespace tapir::student {
namespace {

constexpr double kLossTolerance = 2e-3;      // of the mean loss, relative
constexpr double kGradientTolerance = 3e-2;  // norm of difference over norm, of each parameter

ModelConfig small() {
  ModelConfig config;
  config.vocab_size = 200;
  config.hidden_size = 64;
  config.intermediate_size = 120;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 16;
  config.tie_word_embeddings = true;
  return config;
}

struct Pass {
  double loss;
  std::vector<float> gradients;
};

Pass run(const Kernels& kernels, const std::vector<float>& parameters, const PackedBatch& batch) {
  Pass pass{0, std::vector<float>(parameters.size())};
  const auto scale = 1.0F / static_cast<float>(batch.target_count());
  pass.loss = Decoder(small(), kernels)
                  .add_gradients(parameters.data(), batch, scale, pass.gradients.data());
  return pass;
}

TEST(Bf16Training, LossAndGradientsAreNearThoseOfFp32) {
  if (bf16_kernels() == nullptr) GTEST_SKIP() << "this CPU has no bf16 units";
  const ParameterLayout layout = make_layout(small());
  RandomStream random(21, "test", "weights");
  std::vector<float> parameters(static_cast<std::size_t>(layout.size));
  for (float& value : parameters) value = static_cast<float>(0.06 * random.normal());
  for (const Parameter& p : layout.parameters) {
    if (p.kind != ParameterKind::norm) continue;
    for (std::int64_t i = 0; i < p.size; ++i)
      parameters[static_cast<std::size_t>(p.offset + i)] += 1;
  }
  PackedBatch batch;
  for (const int length : {70, 33, 5}) {
    std::vector<std::int32_t> tokens;
    for (int i = 0; i < length; ++i) tokens.push_back(random.between(0, 199));
    std::vector<std::uint8_t> loss(tokens.size(), 1);
    loss[0] = 0;
    append_sequence(batch, tokens, loss);
  }
  Kernels kernels = student::kernels();
  const Pass fp32 = run(kernels, parameters, batch);
  kernels.multiply = bf16_kernels()->multiply;
  const Pass bf16 = run(kernels, parameters, batch);

  EXPECT_NE(bf16.loss, fp32.loss);
  EXPECT_NEAR(bf16.loss / fp32.loss, 1, kLossTolerance);
  for (const Parameter& p : layout.parameters) {
    double difference = 0;
    double norm = 0;
    for (auto i = static_cast<std::size_t>(p.offset);
         i < static_cast<std::size_t>(p.offset + p.size); ++i) {
      difference += std::pow(static_cast<double>(bf16.gradients[i]) - fp32.gradients[i], 2);
      norm += std::pow(static_cast<double>(fp32.gradients[i]), 2);
    }
    EXPECT_LT(std::sqrt(difference / norm), kGradientTolerance) << p.name;
  }
  EXPECT_EQ(run(kernels, parameters, batch).gradients, bf16.gradients);
}

}  // namespace
}  // namespace tapir::student
