// Steps of the ATen engine against those of the CPU's own: losses, gradients, weights, moments.
#include "student/torch_learner.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "metered_memory.h"
#include "student/torch_plan.h"
#include "student/torch_test.h"

namespace tapir::student {
namespace {

using testing::relative_difference;
using testing::Variant;

// By ids, from which dropout is drawn.
std::vector<EncodedRow> named_rows(int count) {
  RandomStream random(11, "test", "torch");
  std::vector<EncodedRow> rows = testing::random_rows(random, count);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].id = "row" + std::to_string(i);
  return rows;
}

// What a training has come to after some steps.
struct Trained {
  std::vector<double> losses;
  std::vector<double> norms;
  double final_loss = 0;
  TrainingState state;
};

class TorchLearning : public testing::OnDevice, public ::testing::TestWithParam<Variant> {
 protected:
  TorchLearning() {
    setup_.config = config_;
    setup_.layout = make_layout(config_);
    setup_.options.weight_decay = 0.02;
    setup_.options.max_grad_norm = 0.5;
    setup_.passes.lanes = 2;
    setup_.passes.micro_batch_tokens = 120;
  }
  void SetUp() override {
    if (!reason.empty()) GTEST_SKIP() << reason;
  }

  // Learns pairs beside frozen weights instead; targets empty: every layer has one.
  void use_adapter(const std::vector<std::string>& targets, double dropout) {
    AdapterConfig wanted;
    wanted.r = 3;
    wanted.target_modules = targets;
    adapter_ = make_adapter_layout(make_layout(config_), wanted);
    setup_.layout = adapter_.values;
    setup_.passes.decoder.adapter = &adapter_;
    setup_.passes.decoder.lora_dropout = dropout;
    setup_.passes.base = weights_.data();
  }

  // B too: with zeros there A would have no gradient.
  TrainingState begin() const {
    TrainingState state;
    state.parameters = setup_.passes.decoder.adapter == nullptr
                           ? weights_
                           : testing::random_floats(setup_.layout.size, "adapter", 0.1);
    state.moments.clear(setup_.layout.size, setup_.options.optim_state_dtype);
    return state;
  }

  Trained train(Learner& learner, int steps = 8) const {
    Trained trained;
    for (int step = 0; step < steps; ++step) {
      std::vector<const EncodedRow*> rows;
      for (std::size_t i = 0; i < 6; ++i)
        rows.push_back(&rows_[(static_cast<std::size_t>(step) * 5 + i) % rows_.size()]);
      const StepLoss loss = learner.compute(rows, step);
      trained.losses.push_back(loss.loss);
      trained.norms.push_back(learner.gradient_norm());
      learner.apply(trained.norms.back(), 0.01);
    }
    trained.final_loss = learner.loss(testing::pointers_to(rows_)).loss;
    learner.read_state([&](const TrainingState& state) { trained.state = state; });
    return trained;
  }
  Trained train_own() const { return train(*make_lane_learner(setup_, begin())); }
  Trained train_torch() const { return train(*make_torch_learner(setup_, device, begin())); }

  static void expect_near(const Trained& found, const Trained& expected, double tolerance) {
    for (std::size_t i = 0; i < expected.losses.size(); ++i) {
      EXPECT_NEAR(found.losses[i], expected.losses[i], tolerance) << "step " << i;
      EXPECT_NEAR(found.norms[i] / expected.norms[i], 1, 10 * tolerance) << "step " << i;
    }
    EXPECT_NEAR(found.final_loss, expected.final_loss, tolerance);
    EXPECT_LT(expected.final_loss, expected.losses.front());
    EXPECT_EQ(found.state.optimizer_steps, expected.state.optimizer_steps);
    EXPECT_LT(relative_difference(found.state.parameters, expected.state.parameters),
              10 * tolerance);
  }
  static void expect_same(const Trained& found, const Trained& expected) {
    EXPECT_EQ(found.losses, expected.losses);
    EXPECT_EQ(found.norms, expected.norms);
    EXPECT_EQ(found.state.parameters, expected.state.parameters);
    EXPECT_EQ(found.state.moments.m, expected.state.moments.m);
    EXPECT_EQ(found.state.moments.v, expected.state.moments.v);
  }

  const ModelConfig config_ = testing::config_of(GetParam());
  const std::vector<float> weights_ = testing::random_weights(config_);
  const std::vector<EncodedRow> rows_ = named_rows(15);
  AdapterLayout adapter_;
  LearnerSetup setup_;
};

TEST_P(TorchLearning, StepsAreTheCpusOwn) {
  const Trained own = train_own();
  const Trained torch = train_torch();
  expect_near(torch, own, 1e-4);
  EXPECT_LT(relative_difference(torch.state.moments.m, own.state.moments.m), 1e-3);
  EXPECT_LT(relative_difference(torch.state.moments.v, own.state.moments.v), 1e-3);
}

TEST_P(TorchLearning, StepsOfAnAdapterAreTheCpusOwn) {
  use_adapter({}, 0);
  expect_near(train_torch(), train_own(), 1e-4);
}

// Gaps between pairs, and elements that are dropped: the same ones.
TEST_P(TorchLearning, DropoutTakesTheElementsThatTheCpuTakes) {
  use_adapter({"k_proj", "v_proj", "up_proj", "down_proj"}, 0.3);
  expect_near(train_torch(), train_own(), 1e-4);
}

// The draws are the same too, so that moments differ where a value lay at the edge of a draw only.
TEST_P(TorchLearning, MomentsInBfloat16AreRoundedAsTheCpuRounds) {
  setup_.options.optim_state_dtype = "bfloat16";
  const Trained own = train_own();
  const Trained torch = train_torch();
  expect_near(torch, own, 2e-4);
  ASSERT_TRUE(torch.state.moments.is_bf16());
  std::size_t apart = 0;
  for (std::size_t i = 0; i < own.state.moments.v_bf16.size(); ++i)
    apart += own.state.moments.v_bf16[i] != torch.state.moments.v_bf16[i] ? 1 : 0;
  EXPECT_LT(apart, own.state.moments.v_bf16.size() / 10);
}

TEST_P(TorchLearning, CheckpointingKeepsTheBits) {
  use_adapter({}, 0.2);
  const Trained kept = train_torch();
  setup_.passes.decoder.gradient_checkpointing = true;
  expect_same(train_torch(), kept);
}

// However the step is cut into passes, in order or by best fit.
TEST_P(TorchLearning, PassesAgree) {
  use_adapter({}, 0.2);
  const Trained whole = train_torch();
  for (const std::int64_t tokens : {1, 60, 1000}) {
    for (const bool best_fit : {false, true}) {
      setup_.passes.micro_batch_tokens = tokens;
      setup_.passes.best_fit = best_fit;
      expect_near(train_torch(), whole, 1e-5);
    }
  }
}

TEST_P(TorchLearning, AStateThatIsTakenOverGoesOnWithTheSameBits) {
  setup_.options.optim_state_dtype = "bfloat16";
  const auto learner = make_torch_learner(setup_, device, begin());
  const Trained first = train(*learner);
  const Trained second = train(*learner);
  const Trained again = train(*make_torch_learner(setup_, device, first.state));
  expect_same(again, second);
  EXPECT_EQ(again.state.moments.m_bf16, second.state.moments.m_bf16);
  EXPECT_EQ(again.state.moments.v_bf16, second.state.moments.v_bf16);
}

TEST_P(TorchLearning, Bf16LearnsAlmostTheSame) {
  const Trained expected = train_own();
  setup_.passes.decoder.bf16 = true;
  const Trained rounded = train_torch();
  EXPECT_NE(rounded.losses, expected.losses);
  for (std::size_t i = 0; i < expected.losses.size(); ++i)
    EXPECT_NEAR(rounded.losses[i] / expected.losses[i], 1, 2e-2) << "step " << i;
}

TEST_P(TorchLearning, RowsWithoutALearntTokenAddNothing) {
  EncodedRow silent = rows_.front();
  silent.loss = std::vector<std::uint8_t>(silent.tokens.size(), 0);
  silent.supervised = 0;
  const auto learner = make_torch_learner(setup_, device, begin());
  const StepLoss alone = learner->compute({&silent}, 0);
  EXPECT_EQ(alone.loss, 0);
  EXPECT_EQ(alone.tokens, static_cast<std::int64_t>(silent.tokens.size()));
  EXPECT_EQ(learner->gradient_norm(), 0);
  const double expected = learner->compute({&rows_[1]}, 0).loss;
  EXPECT_NEAR(learner->compute({&rows_[1], &silent}, 0).loss, expected, 1e-6);
}

TEST_P(TorchLearning, NotANumberIsSeenInTheNorm) {
  TrainingState broken = begin();
  broken.parameters[static_cast<std::size_t>(make_layout(config_).norm)] =
      std::numeric_limits<float>::quiet_NaN();
  const auto learner = make_torch_learner(setup_, device, std::move(broken));
  EXPECT_TRUE(std::isnan(learner->compute({&rows_[1]}, 0).loss));
  EXPECT_TRUE(std::isnan(learner->gradient_norm()));
}

// The plan of a pass against the memory that torch asked for.
struct Planned {
  bool adapter, bf16, checkpointing;
  int kv_heads, vocab;
  std::int64_t logits_at_once;
};
inline std::ostream& operator<<(std::ostream& out, const Planned& p) {
  return out << (p.adapter ? "lora" : "full") << (p.bf16 ? " bf16" : "")
             << (p.checkpointing ? " checkpointing" : "") << " " << p.kv_heads
             << " kv heads, vocab " << p.vocab << ", logits " << p.logits_at_once;
}

std::vector<Planned> all_plans() {
  std::vector<Planned> plans;
  for (const bool adapter : {false, true}) {
    for (const bool bf16 : {false, true}) {
      for (const bool checkpointing : {false, true}) {
        plans.push_back({adapter, bf16, checkpointing, 8, 500, 0});
        plans.push_back({adapter, bf16, checkpointing, 2, 8000, 64});
      }
    }
  }
  return plans;
}

TEST(TorchMemory, APassTakesWhatWasPlanned) {
  const testing::OnDevice on;
  if (on.device.name != "torch-cpu") GTEST_SKIP() << "the memory of torch's CPU is counted";
  for (const Planned& planned : all_plans()) {
    ModelConfig config;
    config.vocab_size = planned.vocab;
    config.hidden_size = 128;
    config.intermediate_size = 352;
    config.num_hidden_layers = 6;
    config.num_attention_heads = 8;
    config.num_key_value_heads = planned.kv_heads;
    config.head_dim = 16;
    config.tie_word_embeddings = false;
    const std::vector<float> base(static_cast<std::size_t>(make_layout(config).size), 0.01F);
    const AdapterLayout adapter = make_adapter_layout(make_layout(config), {});
    LearnerSetup setup;
    setup.config = config;
    setup.layout = planned.adapter ? adapter.values : make_layout(config);
    setup.passes.micro_batch_tokens = 1000;
    setup.passes.decoder = {planned.adapter ? &adapter : nullptr, 0, planned.checkpointing,
                            planned.bf16, planned.logits_at_once};
    setup.passes.base = base.data();
    TrainingState state;
    state.parameters.assign(static_cast<std::size_t>(setup.layout.size), 0.01F);
    state.moments.clear(setup.layout.size, "float32");
    std::vector<EncodedRow> rows(4);
    for (EncodedRow& row : rows) {
      row.tokens = std::vector<std::int32_t>(200, 3);
      std::vector<std::uint8_t> loss(200, 1);
      std::fill_n(loss.begin(), 40, std::uint8_t{0});
      row.loss = std::move(loss);
      row.supervised = 160;
    }
    testing::MeteredMemory memory;
    const auto learner = make_torch_learner(setup, on.device, std::move(state));
    const std::int64_t before = memory.live();
    memory.forget_peak();
    learner->compute(testing::pointers_to(rows), 0);
    const auto taken = static_cast<double>(memory.peak() - before);
    const auto plan = static_cast<double>(
        torch_training_bytes(config, setup.passes.decoder, {800, 640, 200}, on.device));
    EXPECT_NEAR(plan / taken, 1, 0.15) << planned;
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, TorchLearning, ::testing::ValuesIn(testing::kVariants),
                         [](const auto& variant) { return std::string(variant.param.name); });

}  // namespace
}  // namespace tapir::student
