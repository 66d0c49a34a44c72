// Training passes with bf16 products beside fp32: a stated tolerance.
#include <vector>

#include <gtest/gtest.h>

#include "differences.h"
#include "random_student.h"
#include "student/bf16_kernels.h"
#include "student/decoder.h"

namespace tapir::student {
namespace {

constexpr double kLossTolerance = 2e-3;      // of the mean loss, relative
constexpr double kGradientTolerance = 3e-2;  // norm of difference over norm, of each parameter

ModelConfig small() {
  ModelConfig config = testing::small_config();
  config.vocab_size = 200;
  config.hidden_size = 64;
  config.intermediate_size = 120;
  config.head_dim = 16;
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
  std::vector<float> parameters = testing::random_floats(random, layout.size, 0.06);
  for (const Parameter& p : layout.parameters) {
    if (p.kind != ParameterKind::norm) continue;
    for (std::int64_t i = 0; i < p.size; ++i)
      parameters[static_cast<std::size_t>(p.offset + i)] += 1;
  }
  PackedBatch batch;
  for (const int length : {70, 33, 5}) {
    const EncodedRow row = testing::random_row(random, {length, length, 200, 1});
    append_sequence(batch, row.tokens, row.loss);
  }
  Kernels kernels = student::kernels();
  const Pass fp32 = run(kernels, parameters, batch);
  kernels.multiply = bf16_kernels()->multiply;
  const Pass bf16 = run(kernels, parameters, batch);

  EXPECT_NE(bf16.loss, fp32.loss);
  EXPECT_NEAR(bf16.loss / fp32.loss, 1, kLossTolerance);
  for (const Parameter& p : layout.parameters) {
    EXPECT_LT(testing::relative_difference(testing::share_of(p, bf16.gradients),
                                           testing::share_of(p, fp32.gradients)),
              kGradientTolerance)
        << p.name;
  }
  EXPECT_EQ(run(kernels, parameters, batch).gradients, bf16.gradients);
}

}  // namespace
}  // namespace tapir::student
