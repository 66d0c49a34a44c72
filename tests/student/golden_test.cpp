// Against transformers (make_goldens.py in tests/goldens/student and tests/goldens/families):
// logits, gradients, losses of AdamW steps.
#include <cmath>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "packed_rows.h"
#include "student/gradients.h"
#include "student/model.h"
#include "student/optimizer.h"
#include "student/safetensors.h"

namespace tapir::student {
namespace {

constexpr int kSequences = 3;

class Golden : public ::testing::TestWithParam<const char*> {
 protected:
  Golden()
      : folder_(std::filesystem::path(TAPIR_SOURCE_DIR) / "tests" / "goldens" / GetParam()),
        file_(folder_ / "golden.safetensors"),
        model_(load_model(folder_)) {
    for (int i = 0; i < kSequences; ++i) rows_.push_back(read_row(std::to_string(i)));
  }

  EncodedRow read_row(const std::string& index) const {
    const TensorView& tokens = file_.tensors().at("tokens." + index);
    const TensorView& mask = file_.tensors().at("mask." + index);
    EncodedRow row;
    std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens.elements()));
    std::memcpy(ids.data(), tokens.bytes.data(), tokens.bytes.size());
    row.tokens = std::move(ids);
    row.loss = std::vector<std::uint8_t>(mask.bytes.begin(), mask.bytes.end());
    for (const std::uint8_t flag : row.loss) row.supervised += flag;
    return row;
  }

  static std::vector<float> floats_of(const TensorView& view, const std::string& name) {
    std::vector<float> values(static_cast<std::size_t>(view.elements()));
    to_floats(view, values.data(), name);
    return values;
  }
  std::vector<float> floats(const std::string& name) const {
    return floats_of(file_.tensors().at(name), name);
  }

  std::vector<const EncodedRow*> batch() const {
    std::vector<const EncodedRow*> rows;
    for (const EncodedRow& row : rows_) rows.push_back(&row);
    return rows;
  }

  const float* parameters() const { return model_->parameters(); }

  std::filesystem::path folder_;
  SafetensorsFile file_;
  std::shared_ptr<const Model> model_;
  std::vector<EncodedRow> rows_;
};

// Norm of the difference over the norm.
double relative_difference(const float* found, const std::vector<float>& expected) {
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(found[i]) - static_cast<double>(expected[i]), 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / norm);
}

TEST_P(Golden, LogitsOfEveryKernelSet) {
  const KernelSets sets = available_kernels();
  for (int set = 0; set < sets.count; ++set) {
    SCOPED_TRACE(sets.sets[set]->name);
    Decoder decoder(model_->config, *sets.sets[set]);
    PackedBatch packed;
    std::vector<float> expected;
    for (int i = 0; i < kSequences; ++i) {
      const EncodedRow& row = rows_[static_cast<std::size_t>(i)];
      append_sequence(packed, row.tokens, row.loss);
      const std::vector<float> logits = floats("logits." + std::to_string(i));
      expected.insert(expected.end(), logits.begin(), logits.end());
    }
    std::vector<float> logits(expected.size());
    decoder.logits(parameters(), packed, logits.data());
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(logits[i], expected[i], 1e-4) << i;
  }
}

TEST_P(Golden, GradientsOfEveryKernelSet) {
  const KernelSets sets = available_kernels();
  for (int set = 0; set < sets.count; ++set) {
    Decoder decoder(model_->config, *sets.sets[set]);
    std::vector<float> gradients(static_cast<std::size_t>(model_->layout.size));
    std::int64_t supervised = 0;
    for (const EncodedRow& row : rows_) supervised += row.supervised;
    for (const PackedBatch& packed : testing::pack(batch(), /*limit=*/40)) {
      decoder.add_gradients(parameters(), packed, 1.0F / static_cast<float>(supervised),
                            gradients.data());
    }
    for (const Parameter& parameter : model_->layout.parameters) {
      const std::vector<float> expected = floats("grad." + parameter.name);
      EXPECT_LT(relative_difference(gradients.data() + parameter.offset, expected), 1e-4)
          << sets.sets[set]->name << " " << parameter.name;
    }
  }
}

TEST_P(Golden, LossesOfTheSteps) {
  const std::filesystem::path file = folder_ / "golden.json";
  const Json golden = parse_json(read_file(file), file.string());
  TrainOptions options;
  options.weight_decay = golden.at("weight_decay");
  options.adam_beta1 = golden.at("betas").at(0);
  options.adam_beta2 = golden.at("betas").at(1);
  options.adam_epsilon = golden.at("eps");
  options.max_grad_norm = golden.at("max_grad_norm");
  TrainingState state;
  const auto size = static_cast<std::size_t>(model_->layout.size);
  state.parameters.assign(parameters(), parameters() + size);
  state.moments.clear(model_->layout.size, "float32");
  const Optimizer optimizer(model_->layout, options);
  LanePool pool(2);
  LaneGradients lanes(model_->config, {.lanes = 2});
  for (std::size_t step = 0; step < golden.at("losses").size(); ++step) {
    const StepLoss loss = lanes.compute(state.parameters.data(), batch(), pool);
    const double norm = optimizer.reduce(lanes.gradients(), pool);
    optimizer.apply(lanes.gradients().front(), norm, golden.at("learning_rate"), state, pool);
    EXPECT_NEAR(loss.loss, golden.at("losses").at(step).get<double>(), 1e-4) << "step " << step;
    EXPECT_NEAR(norm, golden.at("grad_norms").at(step).get<double>(), 1e-3) << "step " << step;
  }
}

TEST_P(Golden, GroupsAreTheirPartsOneBelowTheOther) {
  const ModelConfig& config = model_->config;
  const LayerOffsets& layer = model_->layout.layers.at(1);
  const SafetensorsFile weights(folder_ / "model.safetensors");
  const std::string prefix = "model.layers.1.self_attn.";
  const bool fused = weights.tensors().contains(prefix + "qkv_proj.weight");
  const long first = fused ? 0 : config.query_width() + config.key_value_width();
  const std::string name = prefix + (fused ? "qkv_proj.weight" : "v_proj.weight");
  const std::vector<float> expected = floats_of(weights.tensors().at(name), name);
  const float* found = parameters() + layer.qkv_proj.weight + first * config.hidden_size;
  EXPECT_EQ(std::vector<float>(found, found + expected.size()), expected);
  EXPECT_EQ(layer.qkv_proj.out, config.qkv_width());
  EXPECT_EQ(model_->layout.lm_head.weight == model_->layout.embed_tokens,
            config.tie_word_embeddings);
}

const char* const kFolders[] = {"student/mha_tied",      "student/gqa_untied", "families/llama3",
                                "families/llama_biased", "families/mistral",   "families/qwen2",
                                "families/qwen3",        "families/phi3"};
INSTANTIATE_TEST_SUITE_P(Configs, Golden, ::testing::ValuesIn(kFolders), [](const auto& folder) {
  return std::filesystem::path(folder.param).filename().string();
});

}  // namespace
}  // namespace tapir::student
