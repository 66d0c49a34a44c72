// The invariants of a step's gradient: how it is cut into passes and lanes does not matter.
#include "student/gradients.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "differences.h"
#include "family_shapes.h"
#include "random_student.h"
#include "rows.h"
#include "student/optimizer.h"

namespace tapir::student {
namespace {

using tapir::testing::relative_difference;
using tapir::testing::share_of;

class Gradients : public ::testing::TestWithParam<const char*> {
 protected:
  struct Computed {
    double loss;
    std::vector<float> gradient;
  };
  Computed compute(int lanes, std::int64_t micro_batch_tokens) const {
    LanePool pool(lanes);
    LaneGradients gradients(config_, {.lanes = lanes, .micro_batch_tokens = micro_batch_tokens});
    const double loss =
        gradients.compute(parameters_.data(), tapir::testing::pointers_to(rows_), pool).loss;
    const Optimizer optimizer(make_layout(config_), TrainOptions());
    (void)optimizer.reduce(gradients.gradients(), pool);
    return {loss, gradients.gradients().front()};
  }

  void expect_equal(const Computed& a, const Computed& b) const {
    EXPECT_NEAR(a.loss, b.loss, 1e-6);
    for (const Parameter& parameter : make_layout(config_).parameters) {
      EXPECT_LT(
          relative_difference(share_of(parameter, b.gradient), share_of(parameter, a.gradient)),
          1e-5)
          << parameter.name;
    }
  }

  const ModelConfig config_ = tapir::testing::as_family(tapir::testing::small_config(), GetParam());
  RandomStream random_{9, "test", "gradients"};
  const std::vector<float> parameters_ =
      tapir::testing::random_floats(random_, make_layout(config_).size, 0.15);
  const std::vector<EncodedRow> rows_ = tapir::testing::random_rows(random_, 8);
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
