// The invariants of a step's gradient: how it is cut into passes and lanes does not matter.
#include "student/gradients.h"

#include <cmath>

#include <gtest/gtest.h>

#include "base/random.h"
#include "family_shapes.h"
#include "student/optimizer.h"

namespace tapir::student {
namespace {

class Gradients : public ::testing::TestWithParam<const char*> {
 protected:
  Gradients() {
    config_.vocab_size = 70;
    config_.hidden_size = 40;
    config_.intermediate_size = 56;
    config_.num_hidden_layers = 3;
    config_.num_attention_heads = 4;
    config_.num_key_value_heads = 2;
    config_.head_dim = 12;
    config_.tie_word_embeddings = true;
    config_ = tapir::testing::as_family(config_, GetParam());
    RandomStream random(9, "test", "gradients");
    parameters_.resize(static_cast<std::size_t>(make_layout(config_).size));
    for (float& value : parameters_) value = static_cast<float>(0.15 * random.normal());
    for (int i = 0; i < 8; ++i) {
      EncodedRow row;
      std::vector<std::int32_t> tokens;
      std::vector<std::uint8_t> loss;
      for (int length = random.between(3, 50); length > 0; --length) {
        tokens.push_back(random.between(0, 69));
        loss.push_back(!loss.empty() && random.chance(0.6) ? 1 : 0);
        row.supervised += loss.back();
      }
      row.tokens = std::move(tokens);
      row.loss = std::move(loss);
      rows_.push_back(std::move(row));
    }
  }

  struct Computed {
    double loss;
    std::vector<float> gradient;
  };
  Computed compute(int lanes, std::int64_t micro_batch_tokens) const {
    std::vector<const EncodedRow*> batch;
    for (const EncodedRow& row : rows_) batch.push_back(&row);
    LanePool pool(lanes);
    LaneGradients gradients(config_, {.lanes = lanes, .micro_batch_tokens = micro_batch_tokens});
    const double loss = gradients.compute(parameters_.data(), batch, pool).loss;
    const Optimizer optimizer(make_layout(config_), TrainOptions());
    (void)optimizer.reduce(gradients.gradients(), pool);
    return {loss, gradients.gradients().front()};
  }

  void expect_equal(const Computed& a, const Computed& b) const {
    EXPECT_NEAR(a.loss, b.loss, 1e-6);
    for (const Parameter& parameter : make_layout(config_).parameters) {
      double difference = 0;
      double norm = 0;
      for (std::int64_t i = parameter.offset; i < parameter.offset + parameter.size; ++i) {
        const auto at = static_cast<std::size_t>(i);
        difference +=
            std::pow(static_cast<double>(a.gradient[at]) - static_cast<double>(b.gradient[at]), 2);
        norm += std::pow(static_cast<double>(a.gradient[at]), 2);
      }
      EXPECT_GT(norm, 0) << parameter.name;
      EXPECT_LT(std::sqrt(difference / norm), 1e-5) << parameter.name;
    }
  }

  ModelConfig config_;
  std::vector<float> parameters_;
  std::vector<EncodedRow> rows_;
};

TEST_P(Gradients, PackedIsUnpacked) { expect_equal(compute(1, 1000), compute(1, 1)); }

TEST_P(Gradients, AccumulatedIsWhole) {
  const Computed whole = compute(1, 1000);
  for (const std::int64_t tokens : {60, 110}) expect_equal(whole, compute(1, tokens));
}

TEST_P(Gradients, LanesAgree) {
  const Computed one = compute(1, 1000);
  for (const int lanes : {2, 4, 8, 11}) expect_equal(one, compute(lanes, 64));
}

TEST_P(Gradients, RepeatsBitForBit) {
  const Computed first = compute(3, 64);
  for (int i = 0; i < 3; ++i) {
    const Computed again = compute(3, 64);
    EXPECT_EQ(first.loss, again.loss);
    EXPECT_EQ(first.gradient, again.gradient);
  }
}

TEST_P(Gradients, LossIsTheMeanOfLogprobs) {
  double sum = 0;
  std::int64_t supervised = 0;
  Decoder decoder(config_);
  for (const EncodedRow& row : rows_) {
    PackedBatch batch;
    append_sequence(batch, row.tokens, row.loss);
    std::vector<float> logprobs(batch.targets.size());
    decoder.logprobs(parameters_.data(), batch, logprobs.data());
    for (const float logprob : logprobs) sum -= static_cast<double>(logprob);
    supervised += row.supervised;
  }
  EXPECT_NEAR(compute(2, 0).loss, sum / static_cast<double>(supervised), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Families, Gradients, ::testing::ValuesIn(tapir::testing::kFamilyNames),
                         [](const auto& family) { return std::string(family.param); });

}  // namespace
}  // namespace tapir::student
