// The ATen decoder against transformers, every family: the goldens of golden_test.cpp.
#include <cstring>
#include <filesystem>

#include <gtest/gtest.h>

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros_like.h>

#include "student/model.h"
#include "student/safetensors.h"
#include "student/torch_decoder.h"
#include "student/torch_test.h"

namespace tapir::student {
namespace {

class TorchGolden : public testing::OnDevice, public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!reason.empty()) GTEST_SKIP() << reason;
    for (const char* index : {"0", "1", "2"}) {
      const TensorView& view = file_.tensors().at(std::string("tokens.") + index);
      std::vector<std::int32_t> tokens(static_cast<std::size_t>(view.elements()));
      std::memcpy(tokens.data(), view.bytes.data(), view.bytes.size());
      const auto& mask = file_.tensors().at(std::string("mask.") + index).bytes;
      append_sequence(batch_, tokens, std::vector<std::uint8_t>(mask.begin(), mask.end()));
    }
    weights_ =
        at::from_blob(const_cast<float*>(model_->parameters()), {model_->layout.size}, at::kFloat)
            .to(at::Device(device.torch_name()));
    gradient_ = at::zeros_like(weights_);
  }

  std::vector<float> floats(const std::string& name) const {
    const TensorView& view = file_.tensors().at(name);
    std::vector<float> values(static_cast<std::size_t>(view.elements()));
    to_floats(view, values.data(), name);
    return values;
  }
  TorchDecoder decoder() const {
    return {model_->config, view_weights(model_->config, weights_, gradient_), {}};
  }

  std::filesystem::path folder_ =
      std::filesystem::path(TAPIR_SOURCE_DIR) / "tests" / "goldens" / GetParam();
  SafetensorsFile file_{folder_ / "golden.safetensors"};
  std::shared_ptr<const Model> model_ = load_model(folder_);
  PackedBatch batch_;
  at::Tensor weights_, gradient_;
};

TEST_P(TorchGolden, Logits) {
  std::vector<float> expected;
  for (const char* index : {"0", "1", "2"}) {
    const std::vector<float> logits = floats(std::string("logits.") + index);
    expected.insert(expected.end(), logits.begin(), logits.end());
  }
  TorchDecoder torch = decoder();
  TorchBatch batch = torch.upload(batch_);
  batch.rows.reset();  // all
  const std::vector<float> found = testing::to_vector(torch.logits(batch));
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-4) << i;
}

TEST_P(TorchGolden, Gradients) {
  TorchDecoder torch = decoder();
  (void)torch.add_gradients(torch.upload(batch_), 1 / static_cast<double>(batch_.target_count()));
  const std::vector<float> found = testing::to_vector(gradient_);
  for (const Parameter& parameter : model_->layout.parameters) {
    const std::vector<float> expected = floats("grad." + parameter.name);
    EXPECT_LT(testing::relative_difference(found.data() + parameter.offset, expected.data(),
                                           parameter.size),
              1e-4)
        << parameter.name;
  }
}

const char* const kFolders[] = {"student/mha_tied",      "student/gqa_untied", "families/llama3",
                                "families/llama_biased", "families/mistral",   "families/qwen2",
                                "families/qwen3",        "families/phi3"};
INSTANTIATE_TEST_SUITE_P(Configs, TorchGolden, ::testing::ValuesIn(kFolders),
                         [](const auto& folder) {
                           return std::filesystem::path(folder.param).filename().string();
                         });

}  // namespace
}  // namespace tapir::student
