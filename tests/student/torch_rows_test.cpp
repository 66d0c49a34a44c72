// Decoding with a cache on a device, against the CPU's own decoder over the whole sequence.
#include "student/torch_rows.h"

#include <gtest/gtest.h>

#include "student/torch_test.h"

namespace tapir::student {
namespace {

using testing::kVariants;
using testing::Variant;

class TorchRowsTest : public testing::OnDevice, public ::testing::TestWithParam<Variant> {
 protected:
  static constexpr int kSlots = 3;

  TorchRowsTest() { config_.max_position_embeddings = 400; }

  void SetUp() override {
    if (!reason.empty()) GTEST_SKIP() << reason;
    engine_ = make_engine(config_);
    rows_ = engine_->rows(kSlots, /*threads=*/1);
  }

  std::shared_ptr<const DecodeEngine> make_engine(const ModelConfig& config) {
    return make_torch_decode_engine(
        config,
        [&](const Parameter& parameter, float* out) {
          std::copy_n(weights_.begin() + parameter.offset, parameter.size, out);
        },
        device);
  }

  std::vector<std::int32_t> random_tokens(int count) {
    std::vector<std::int32_t> tokens;
    for (int i = 0; i < count; ++i) tokens.push_back(random_.between(0, config_.vocab_size - 1));
    return tokens;
  }

  void join(int slot, int count) {
    past_[slot] = random_tokens(count);
    expect_logits(slot, rows_->prefill(slot, past_[slot]));
  }
  void step(const std::vector<int>& slots) {
    std::vector<SlotToken> tokens;
    for (const int slot : slots) {
      past_[slot].push_back(random_tokens(1)[0]);
      tokens.push_back(
          {slot, past_[slot].back(), static_cast<std::int32_t>(past_[slot].size()) - 1});
    }
    const float* logits = rows_->step(tokens);
    for (const int slot : slots) {
      expect_logits(slot, logits);
      logits += config_.vocab_size;
    }
  }
  void expect_logits(int slot, const float* found) {
    SCOPED_TRACE(past_[slot].size());
    PackedBatch batch;
    append_sequence(batch, past_[slot], std::vector<std::uint8_t>(past_[slot].size(), 0));
    std::vector<float> all(static_cast<std::size_t>(batch.size() * config_.vocab_size));
    Decoder(config_).logits(weights_.data(), batch, all.data());
    const float* expected = all.data() + (batch.size() - 1) * config_.vocab_size;
    for (int i = 0; i < config_.vocab_size; ++i)
      ASSERT_NEAR(found[i], expected[i], tolerance_) << i;
  }

  ModelConfig config_ = testing::config_of(GetParam());
  std::vector<float> weights_ = testing::random_weights(config_);
  RandomStream random_{4, "test", "torch_rows"};
  std::vector<std::int32_t> past_[kSlots];
  std::shared_ptr<const DecodeEngine> engine_;
  std::unique_ptr<RowDecoder> rows_;
  double tolerance_ = 1e-4;
};

TEST_P(TorchRowsTest, RowsJoinAndLeaveAtAnyToken) {
  join(0, 12);
  join(2, 3);
  step({0, 2});
  step({2, 0});
  join(1, 20);
  step({0, 1, 2});
  join(2, 5);  // another row in the slot of one that has left
  for (int i = 0; i < 4; ++i) step({1, 2});
}

TEST_P(TorchRowsTest, CachesGrow) {
  join(1, 254);
  join(0, 4);
  for (int i = 0; i < 4; ++i) step({0, 1});
}

TEST_P(TorchRowsTest, HalfPrecisionStudentsAreDecodedInIt) {
  config_.torch_dtype = StorageType::bfloat16;
  engine_ = make_engine(config_);
  rows_ = engine_->rows(kSlots, /*threads=*/1);
  tolerance_ = 0.1;  // logits of up to 6, 8 bits of mantissa, three layers
  join(0, 12);
  for (int i = 0; i < 3; ++i) step({0});
}

INSTANTIATE_TEST_SUITE_P(Variants, TorchRowsTest, ::testing::ValuesIn(kVariants),
                         [](const auto& variant) { return std::string(variant.param.name); });

}  // namespace
}  // namespace tapir::student
