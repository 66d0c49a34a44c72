// The ATen decoder against the CPU's own: logits, losses, gradients, for what the families differ
// in.
#include "student/torch_decoder.h"

#include <gtest/gtest.h>

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros_like.h>

#include "student/torch_test.h"

namespace tapir::student {
namespace {

using testing::kVariants;
using testing::relative_difference;
using testing::to_vector;
using testing::Variant;

class TorchDecoderTest : public testing::OnDevice, public ::testing::TestWithParam<Variant> {
 protected:
  void SetUp() override {
    if (!reason.empty()) GTEST_SKIP() << reason;
    weights_ = at::from_blob(host_.data(), {static_cast<std::int64_t>(host_.size())}, at::kFloat)
                   .to(at::Device(device.torch_name()));
    gradient_ = at::zeros_like(weights_);
  }

  TorchDecoder decoder(const TorchDecoderOptions& options = {}) const {
    return {config_, view_weights(config_, weights_, gradient_), options};
  }

  struct Computed {
    double loss;
    std::vector<float> gradient;
  };
  Computed compute(const TorchDecoderOptions& options, const std::vector<PackedBatch>& batches) {
    gradient_.zero_();
    TorchDecoder torch = decoder(options);
    double loss = 0;
    for (const PackedBatch& batch : batches)
      loss += torch.add_gradients(torch.upload(batch), 0.25).item<double>();
    return {loss, to_vector(gradient_)};
  }
  Computed reference(const PackedBatch& batch) {
    Computed computed{0, std::vector<float>(host_.size())};
    Decoder own(config_);
    computed.loss = own.add_gradients(host_.data(), batch, 0.25F, computed.gradient.data());
    return computed;
  }
  void expect_near(const Computed& found, const Computed& expected, double tolerance) const {
    EXPECT_NEAR(found.loss / expected.loss, 1, tolerance);
    for (const Parameter& parameter : make_layout(config_).parameters) {
      EXPECT_LT(relative_difference(testing::share_of(parameter, found.gradient),
                                    testing::share_of(parameter, expected.gradient)),
                tolerance)
          << parameter.name;
    }
  }

  ModelConfig config_ = testing::config_of(GetParam());
  std::vector<float> host_ = testing::random_weights(config_);
  at::Tensor weights_, gradient_;
};

TEST_P(TorchDecoderTest, LogitsAreTheCpusOwn) {
  const PackedBatch batch = testing::random_batch(4);
  std::vector<float> expected(static_cast<std::size_t>(batch.size() * config_.vocab_size));
  Decoder(config_).logits(host_.data(), batch, expected.data());
  TorchDecoder torch = decoder();
  TorchBatch uploaded = torch.upload(batch);
  uploaded.rows.reset();  // all
  const std::vector<float> found = to_vector(torch.logits(uploaded));
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-4) << i;
}

TEST_P(TorchDecoderTest, LogprobsAreTheCpusOwn) {
  const PackedBatch batch = testing::random_batch(4);
  std::vector<float> expected(batch.targets.size());
  Decoder(config_).logprobs(host_.data(), batch, expected.data());
  TorchDecoder torch = decoder({.logit_elements = 700});
  const std::vector<float> found = to_vector(torch.logprobs(torch.upload(batch)));
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-4) << i;
}

TEST_P(TorchDecoderTest, GradientsAreTheCpusOwn) {
  const PackedBatch batch = testing::random_batch(4);
  expect_near(compute({}, {batch}), reference(batch), 1e-4);
}

TEST_P(TorchDecoderTest, ChunksOfLogitsChangeNothing) {
  const PackedBatch batch = testing::random_batch(4);
  expect_near(compute({.logit_elements = 700}, {batch}), compute({}, {batch}), 1e-5);
}

TEST_P(TorchDecoderTest, CheckpointingKeepsTheBits) {
  const PackedBatch batch = testing::random_batch(3);
  const Computed kept = compute({}, {batch});
  const Computed again = compute({.gradient_checkpointing = true}, {batch});
  EXPECT_EQ(again.loss, kept.loss);
  EXPECT_EQ(again.gradient, kept.gradient);
}

TEST_P(TorchDecoderTest, PackedIsUnpacked) {
  std::vector<PackedBatch> alone;
  PackedBatch packed;
  const PackedBatch rows = testing::random_batch(4);
  for (std::size_t i = 0; i + 1 < rows.starts.size(); ++i) {
    const auto first = static_cast<std::size_t>(rows.starts[i]);
    const auto end = static_cast<std::size_t>(rows.starts[i + 1]);
    const std::vector<std::int32_t> tokens(rows.tokens.begin() + rows.starts[i],
                                           rows.tokens.begin() + rows.starts[i + 1]);
    std::vector<std::uint8_t> loss(end - first, 1);
    loss[0] = 0;
    append_sequence(alone.emplace_back(), tokens, loss);
    append_sequence(packed, tokens, loss);
  }
  expect_near(compute({}, {packed}), compute({}, alone), 1e-5);
}

// bf16 has 8 bits of mantissa: a relative error of 2^-8 per rounding, over three layers.
TEST_P(TorchDecoderTest, Bf16IsNearFp32) {
  const PackedBatch batch = testing::random_batch(4);
  const Computed rounded = compute({.compute = at::kBFloat16}, {batch});
  const Computed expected = reference(batch);
  EXPECT_NE(rounded.gradient, expected.gradient);
  EXPECT_NEAR(rounded.loss / expected.loss, 1, 1e-2);
  EXPECT_LT(relative_difference(rounded.gradient, expected.gradient), 5e-2);
}

INSTANTIATE_TEST_SUITE_P(Variants, TorchDecoderTest, ::testing::ValuesIn(kVariants),
                         [](const auto& variant) { return std::string(variant.param.name); });

}  // namespace
}  // namespace tapir::student
