// The ATen decoder against transformers, every family: the goldens of golden_test.cpp.
#include <filesystem>

#include <gtest/gtest.h>

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros_like.h>

#include "golden_rows.h"
#include "student/model.h"
#include "student/safetensors.h"
#include "student/torch_decoder.h"
#include "student/torch_test.h"

namespace tapir::student {
namespace {

class TorchGolden : public testing::OnDevice, public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!reason.empty()) GTEST_SKIP() << reason;
    weights_ =
        at::from_blob(const_cast<float*>(model_->parameters()), {model_->layout.size}, at::kFloat)
            .to(at::Device(device.torch_name()));
    gradient_ = at::zeros_like(weights_);
  }

  TorchDecoder decoder() const {
    return {model_->config, view_weights(model_->config, weights_, gradient_), {}};
  }

  std::filesystem::path folder_ = testing::goldens() / GetParam();
  SafetensorsFile file_{folder_ / "golden.safetensors"};
  std::shared_ptr<const Model> model_ = load_model(folder_);
  PackedBatch batch_ = testing::packed_together(testing::golden_rows(file_));
  at::Tensor weights_, gradient_;
};

TEST_P(TorchGolden, Logits) {
  TorchDecoder torch = decoder();
  TorchBatch batch = torch.upload(batch_);
  batch.rows.reset();  // all
  testing::expect_logits(testing::to_vector(torch.logits(batch)), testing::golden_logits(file_));
}

TEST_P(TorchGolden, Gradients) {
  TorchDecoder torch = decoder();
  (void)torch.add_gradients(torch.upload(batch_), 1 / static_cast<double>(batch_.target_count()));
  const std::vector<float> found = testing::to_vector(gradient_);
  for (const Parameter& parameter : model_->layout.parameters) {
    const std::vector<float> expected = testing::floats_of(file_, "grad." + parameter.name);
    EXPECT_LT(testing::relative_difference(testing::share_of(parameter, found), expected), 1e-4)
        << parameter.name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Configs, TorchGolden,
    ::testing::ValuesIn(testing::and_families({"student/mha_tied", "student/gqa_untied"})),
    [](const auto& folder) { return std::filesystem::path(folder.param).filename().string(); });

}  // namespace
}  // namespace tapir::student
