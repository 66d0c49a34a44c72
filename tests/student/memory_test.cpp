// What keeps a training within its memory: the plan, gradient checkpointing, chunked logits,
// moments in bfloat16.
#include <cmath>

#include <gtest/gtest.h>

#include "differences.h"
#include "random_student.h"
#include "rows.h"
#include "student/float_buffer.h"
#include "student/gradients.h"
#include "student/half.h"
#include "student/host_memory.h"
#include "student/memory_plan.h"
#include "student/optimizer.h"

namespace tapir::student {
namespace {

using testing::pointers_to;
using testing::random_floats;
using testing::random_rows;
using testing::relative_difference;
using testing::small_config;

struct Computed {
  double loss;
  std::vector<float> gradient;
  bool operator==(const Computed&) const = default;
};

// On large pages and below them, and no whole number of pages.
TEST(FloatBufferMemory, HasAnySize) {
  for (const std::int64_t size : {1L, 17L, 1000L, (1L << 19) - 1, (1L << 19) + 17, 750'000L}) {
    FloatBuffer buffer;
    float* data = buffer.reserve(size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % 64, 0U);
    data[0] = 1;
    data[size - 1] = 2;
    EXPECT_EQ(buffer.reserve(size), data);
  }
}

Computed compute(const ModelConfig& config, const DecoderOptions& options) {
  RandomStream random(4, "test", "memory");
  const std::vector<EncodedRow> rows = random_rows(random, 6, {.vocab_size = config.vocab_size});
  const std::vector<float> parameters = random_floats(random, make_layout(config).size, 0.15);
  LanePool pool(1);
  LaneGradients lanes(config, {.lanes = 1, .micro_batch_tokens = 90, .decoder = options});
  const double loss = lanes.compute(parameters.data(), pointers_to(rows), pool).loss;
  return {loss, lanes.gradients().front()};
}

TEST(Memory, GradientCheckpointingKeepsTheBits) {
  for (const int layers : {1, 2, 3, 5}) {
    ModelConfig config = small_config();
    config.num_hidden_layers = layers;
    config.qk_norm = layers == 3;
    config.qkv_bias = layers == 2;
    const Computed whole = compute(config, {});
    EXPECT_EQ(compute(config, {.gradient_checkpointing = true}), whole) << layers;
    EXPECT_TRUE(std::isfinite(whole.loss));
  }
}

TEST(Memory, ChunkedLogitsKeepTheLossAndTheGradients) {
  const Computed whole = compute(small_config(), {.logits_at_once = 100000});
  for (const std::int64_t rows : {1, 7, 64}) {
    const Computed chunked = compute(small_config(), {.logits_at_once = rows});
    EXPECT_NEAR(chunked.loss, whole.loss, 1e-6);
    EXPECT_LT(relative_difference(chunked.gradient, whole.gradient), 1e-6) << rows;
  }
}

TEST(Memory, TheOptionsAreInThePlan) {
  const ModelConfig config = small_config();
  const PassSize pass{512, 400, 256};
  const std::int64_t whole = training_bytes(config, {}, pass);
  EXPECT_LT(training_bytes(config, {.gradient_checkpointing = true}, pass), 0.7 * whole);
  EXPECT_EQ(training_bytes(config, {.logits_at_once = 400}, pass) - whole,
            4 * config.vocab_size * (400 - 400));
  EXPECT_EQ(training_bytes(config, {.logits_at_once = 10}, pass) - whole,
            4 * config.vocab_size * (10 - 400));
}

// Mean of many roundings is the value itself; nothing else than its two neighbours comes out.
TEST(Memory, MomentsInBfloat16AreRoundedWithoutBias) {
  ParameterLayout layout;
  layout.size = 1 << 15;
  layout.parameters.push_back({"w", {layout.size}, 0, layout.size});
  TrainOptions options;
  options.adam_beta1 = 0.9;
  options.adam_beta2 = 0.999;
  options.max_grad_norm = 0;
  TrainingState state;
  state.parameters.assign(static_cast<std::size_t>(layout.size), 1.0F);
  state.moments.clear(layout.size, "bfloat16");
  ASSERT_TRUE(state.moments.is_bf16());
  const std::vector<float> gradient(static_cast<std::size_t>(layout.size), 0.37F);
  LanePool pool(2);
  const Optimizer optimizer(layout, options);
  const int steps = 40;
  for (int i = 0; i < steps; ++i) optimizer.apply(gradient, 1, 0, state, pool);
  double m = 0;
  double v = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    m += static_cast<double>(bfloat_to_float(state.moments.m_bf16[i])) / layout.size;
    v += static_cast<double>(bfloat_to_float(state.moments.v_bf16[i])) / layout.size;
  }
  EXPECT_NEAR(m, 0.37 * (1 - std::pow(0.9, steps)), 1e-3 * 0.37);
  // To the nearest, v would stop growing where 0.1 % of it is below half a last place.
  EXPECT_NEAR(v, 0.37 * 0.37 * (1 - std::pow(0.999, steps)), 2e-3 * 0.0055);
}

TEST(Memory, TheCapIsKnownAndNoMoreThanTheMachineHas) {
  const std::int64_t cap = memory_cap();
  EXPECT_GT(cap, std::int64_t{100} << 20);
  EXPECT_EQ(cap, memory_cap());
}

TEST(Memory, LargestPassesAreThoseOfTheSteps) {
  TrainOptions options;
  options.total_batch_size = 2;
  options.lanes = 2;
  options.shuffle = false;
  options.num_train_epochs = 1;
  const std::vector<PassSize> rows = {{10, 4, 0}, {30, 20, 0}, {25, 25, 0}, {7, 7, 0}};
  const std::vector<PassSize> largest = largest_passes(rows, options, 512);
  ASSERT_EQ(largest.size(), 2U);
  EXPECT_EQ(largest[0].tokens, 30);  // the longest of a step goes to the first lane
  EXPECT_EQ(largest[0].targets, 25);
  EXPECT_EQ(largest[1].tokens, 10);
  options.total_batch_size = 4;
  options.lanes = 1;
  EXPECT_EQ(largest_passes(rows, options, 40)[0].tokens, 40);
  options.packing = true;
  options.cutoff_len = 40;
  EXPECT_EQ(largest_passes(rows, options, 35)[0].tokens, 35);
}

}  // namespace
}  // namespace tapir::student
