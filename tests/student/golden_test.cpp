// Against transformers (make_goldens.py in tests/goldens/student and tests/goldens/families):
// logits, gradients, losses of AdamW steps.
#include <gtest/gtest.h>

#include "differences.h"
#include "golden_rows.h"
#include "packed_rows.h"
#include "student/gradients.h"
#include "student/model.h"
#include "student/safetensors.h"

namespace tapir::student {
namespace {

using tapir::testing::floats_of;
using tapir::testing::packed_together;
using tapir::testing::pointers_to;
using tapir::testing::relative_difference;
using tapir::testing::share_of;

class Golden : public ::testing::TestWithParam<std::string> {
 protected:
  Golden()
      : folder_(tapir::testing::goldens() / GetParam()),
        file_(folder_ / "golden.safetensors"),
        model_(load_model(folder_)),
        rows_(tapir::testing::golden_rows(file_)) {}

  const float* parameters() const { return model_->parameters(); }

  std::filesystem::path folder_;
  SafetensorsFile file_;
  std::shared_ptr<const Model> model_;
  std::vector<EncodedRow> rows_;
};

TEST_P(Golden, LogitsOfEveryKernelSet) {
  const KernelSets sets = available_kernels();
  for (int set = 0; set < sets.count; ++set) {
    SCOPED_TRACE(sets.sets[set]->name);
    Decoder decoder(model_->config, *sets.sets[set]);
    const std::vector<float> expected = tapir::testing::golden_logits(file_);
    std::vector<float> logits(expected.size());
    decoder.logits(parameters(), packed_together(rows_), logits.data());
    tapir::testing::expect_logits(logits, expected);
  }
}

TEST_P(Golden, GradientsOfEveryKernelSet) {
  const KernelSets sets = available_kernels();
  for (int set = 0; set < sets.count; ++set) {
    Decoder decoder(model_->config, *sets.sets[set]);
    std::vector<float> gradients(static_cast<std::size_t>(model_->layout.size));
    std::int64_t supervised = 0;
    for (const EncodedRow& row : rows_) supervised += row.supervised;
    for (const PackedBatch& packed : testing::pack(pointers_to(rows_), /*limit=*/40)) {
      decoder.add_gradients(parameters(), packed, 1.0F / static_cast<float>(supervised),
                            gradients.data());
    }
    for (const Parameter& parameter : model_->layout.parameters) {
      const std::vector<float> expected = floats_of(file_, "grad." + parameter.name);
      EXPECT_LT(relative_difference(share_of(parameter, gradients), expected), 1e-4)
          << sets.sets[set]->name << " " << parameter.name;
    }
  }
}

TEST_P(Golden, LossesOfTheSteps) {
  const std::vector<float> values(parameters(), parameters() + model_->layout.size);
  LaneGradients lanes(model_->config, {.lanes = 2});
  EXPECT_GE(tapir::testing::expect_golden_steps(folder_, rows_, model_->layout, values, lanes),
            10U);
}

TEST_P(Golden, GroupsAreTheirPartsOneBelowTheOther) {
  const ModelConfig& config = model_->config;
  const LayerOffsets& layer = model_->layout.layers.at(1);
  const SafetensorsFile weights(folder_ / "model.safetensors");
  const std::string prefix = "model.layers.1.self_attn.";
  const bool fused = weights.tensors().contains(prefix + "qkv_proj.weight");
  const long first = fused ? 0 : config.query_width() + config.key_value_width();
  const std::string name = prefix + (fused ? "qkv_proj.weight" : "v_proj.weight");
  const std::vector<float> expected = floats_of(weights, name);
  const float* found = parameters() + layer.qkv_proj.weight + first * config.hidden_size;
  EXPECT_EQ(std::vector<float>(found, found + expected.size()), expected);
  EXPECT_EQ(layer.qkv_proj.out, config.qkv_width());
  EXPECT_EQ(model_->layout.lm_head.weight == model_->layout.embed_tokens,
            config.tie_word_embeddings);
}

INSTANTIATE_TEST_SUITE_P(
    Configs, Golden,
    ::testing::ValuesIn(tapir::testing::and_families({"student/mha_tied", "student/gqa_untied"})),
    [](const auto& folder) { return std::filesystem::path(folder.param).filename().string(); });

}  // namespace
}  // namespace tapir::student
