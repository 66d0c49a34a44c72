// Low-rank adapters against PEFT (tests/goldens/lora/make_goldens.py), and their invariants.
#include "student/adapter.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "differences.h"
#include "error_of.h"
#include "golden_rows.h"
#include "student/adapter_file.h"
#include "student/gradients.h"
#include "student/model.h"
#include "student/optimizer.h"
#include "test_data.h"

namespace tapir::student {
namespace {

using tapir::testing::complaint_of;
using tapir::testing::expect_golden_steps;
using tapir::testing::floats_of;
using tapir::testing::golden_logits;
using tapir::testing::golden_rows;
using tapir::testing::goldens;
using tapir::testing::packed_together;
using tapir::testing::pointers_to;
using tapir::testing::relative_difference;
using tapir::testing::share_of;
using ::testing::HasSubstr;
using Path = std::filesystem::path;

class AdapterGolden : public ::testing::TestWithParam<const char*> {
 protected:
  AdapterGolden()
      : folder_(goldens() / "lora" / GetParam()),
        golden_(folder_ / "golden.safetensors"),
        base_(load_model(find_student(folder_).base)),
        adapter_(read_adapter(folder_, base_->layout, base_->parameters())),
        rows_(golden_rows(SafetensorsFile(find_student(folder_).base / "golden.safetensors"))) {}

  LaneOptions options(int lanes, std::int64_t tokens = kMicroBatchTokens,
                      double dropout = 0) const {
    LaneOptions made;
    made.lanes = lanes;
    made.micro_batch_tokens = tokens;
    made.decoder.adapter = &adapter_.layout;
    made.decoder.lora_dropout = dropout;
    made.base = base_->parameters();
    return made;
  }
  void expect_logits(Decoder& decoder, const float* parameters) const {
    const std::vector<float> expected = golden_logits(golden_);
    std::vector<float> logits(expected.size());
    decoder.logits(parameters, packed_together(rows_), logits.data());
    tapir::testing::expect_logits(logits, expected);
  }

  Path folder_;
  SafetensorsFile golden_;
  std::shared_ptr<const Model> base_;
  Adapter adapter_;
  std::vector<EncodedRow> rows_;
  const TrainOptions train_options_;
};

TEST_P(AdapterGolden, LogitsBesideTheBase) {
  Decoder decoder(base_->config, kernels(), options(1).decoder);
  decoder.set_adapter(adapter_.values.data());
  expect_logits(decoder, base_->parameters());
}

TEST_P(AdapterGolden, LogitsMergedIntoTheBase) {
  const std::shared_ptr<const Model> merged = load_model(folder_);
  Decoder decoder(merged->config);
  expect_logits(decoder, merged->parameters());
}

TEST_P(AdapterGolden, GradientsOfAAndB) {
  LanePool pool(2);
  LaneGradients lanes(base_->config, options(2));
  lanes.compute(adapter_.values.data(), pointers_to(rows_), pool);
  const Optimizer optimizer(adapter_.layout.values, train_options_);
  (void)optimizer.reduce(lanes.gradients(), pool);
  EXPECT_GT(adapter_.layout.values.parameters.size(), 10U);
  for (const Parameter& parameter : adapter_.layout.values.parameters) {
    EXPECT_LT(relative_difference(share_of(parameter, lanes.gradients().front()),
                                  floats_of(golden_, "grad." + parameter.name)),
              1e-4)
        << parameter.name;
  }
}

TEST_P(AdapterGolden, LossesOfTwentySteps) {
  LaneGradients lanes(base_->config, options(2));
  EXPECT_EQ(expect_golden_steps(folder_, rows_, adapter_.layout.values, adapter_.values, lanes),
            20U);
}

// Lanes, micro-batches, packing and gradient checkpointing change nothing, dropout included.
TEST_P(AdapterGolden, HowAStepIsCutDoesNotMatter) {
  const auto computed = [&](const LaneOptions& how, std::int64_t step) {
    LanePool pool(how.lanes);
    LaneGradients lanes(base_->config, how);
    const double loss = lanes.compute(adapter_.values.data(), pointers_to(rows_), pool, step).loss;
    (void)Optimizer(adapter_.layout.values, train_options_).reduce(lanes.gradients(), pool);
    return std::pair(loss, lanes.gradients().front());
  };
  for (const double dropout : {0.0, 0.3}) {
    const auto whole = computed(options(1, 1000, dropout), 1);
    for (LaneOptions how :
         {options(1, 1, dropout), options(2, 40, dropout), options(4, 8, dropout)}) {
      how.best_fit = how.lanes == 2;
      const auto cut = computed(how, 1);
      EXPECT_NEAR(cut.first, whole.first, 1e-6);
      EXPECT_LT(relative_difference(cut.second, whole.second), 1e-5) << how.lanes;
      how.decoder.gradient_checkpointing = true;
      EXPECT_EQ(computed(how, 1), cut) << "the same bits";
    }
    EXPECT_EQ(computed(options(1, 1000, dropout), 2).first != whole.first, dropout > 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Adapters, AdapterGolden, ::testing::Values("all_tied", "rslora_gqa"));

class Adapters : public ::testing::Test {
 protected:
  Adapters()
      : base_folder_(goldens() / "student" / "gqa_untied"),
        config_(read_config(base_folder_)),
        layout_(make_layout(config_)) {
    values_.resize(static_cast<std::size_t>(layout_.size));
    read_parameters(layout_, config_, base_folder_, values_.data());
  }
  // Writes an adapter folder; change edits its config.
  Path write(const std::string& name, const std::function<void(Json&)>& change = {}) {
    const Path folder = folder_.path() / name;
    std::filesystem::create_directories(folder);
    AdapterConfig config;
    config.base_model_name_or_path = base_folder_.string();
    config.r = 2;
    config.target_modules = {"k_proj", "up_proj"};
    const AdapterLayout layout = make_adapter_layout(layout_, config);
    std::vector<float> values(static_cast<std::size_t>(layout.values.size));
    initialise_adapter(layout, 3, values.data());
    write_safetensors(folder / "adapter_model.safetensors",
                      named_tensors(layout.values, values.data(), ""),
                      adapter_metadata(base_digest(layout_, values_.data())));
    Json json = parse_json(adapter_config_text(config), "test");
    if (change) change(json);
    write_file(folder / "adapter_config.json", json.dump());
    return folder;
  }
  testing::TemporaryFolder folder_;
  Path base_folder_;
  ModelConfig config_;
  ParameterLayout layout_;
  std::vector<float> values_;
};

TEST_F(Adapters, FreshOnesChangeNothingAndAreAsPeftInitialises) {
  AdapterConfig config;
  config.r = 4;
  const AdapterLayout layout = make_adapter_layout(layout_, config);
  EXPECT_EQ(layout.pairs.size(), 7U * 2);
  std::vector<float> values(static_cast<std::size_t>(layout.values.size), 9.0F);
  initialise_adapter(layout, 1, values.data());
  for (const LowRankPair& pair : layout.pairs) {
    const float bound = 1 / std::sqrt(static_cast<float>(pair.in));
    float largest = 0;
    for (std::int64_t i = 0; i < pair.rank * pair.in; ++i) {
      largest = std::max(largest, std::fabs(values[static_cast<std::size_t>(pair.a + i)]));
    }
    EXPECT_LE(largest, bound);
    EXPECT_GT(largest, 0.8F * bound);
  }
  std::vector<float> merged = values_;
  merge_adapter(layout, values.data(), merged.data());
  EXPECT_EQ(merged, values_);
}

TEST_F(Adapters, UnknownTargetsAreNamedWithTheKnownOnes) {
  AdapterConfig config;
  config.target_modules = {"q_proj", "lm_head", "c_attn"};
  const std::string error =
      complaint_of(ErrorKind::usage, [&] { (void)make_adapter_layout(layout_, config); });
  EXPECT_THAT(error, HasSubstr("lm_head, c_attn"));
  EXPECT_THAT(error, HasSubstr("down_proj, gate_proj, k_proj"));
}

TEST_F(Adapters, WhatIsNotBuiltIsListed) {
  const Path folder = write("dora", [](Json& json) {
    json["use_dora"] = true;
    json["bias"] = "all";
    json["rank_pattern"] = {{"q_proj", 4}};
  });
  const std::string error =
      complaint_of(ErrorKind::data, [&] { (void)read_adapter_config(folder); });
  EXPECT_THAT(error, HasSubstr("use_dora = true"));
  EXPECT_THAT(error, HasSubstr("rank_pattern"));
  EXPECT_THAT(error, HasSubstr("bias = \"all\""));
  EXPECT_THAT(
      complaint_of(
          ErrorKind::data,
          [&] { (void)read_adapter_config(write("r", [](Json& json) { json["r"] = 0; })); }),
      HasSubstr("r: found 0"));
  EXPECT_THAT(complaint_of(ErrorKind::data,
                           [&] {
                             (void)read_adapter_config(
                                 write("ia3", [](Json& json) { json["peft_type"] = "IA3"; }));
                           }),
              HasSubstr("IA3"));
}

TEST_F(Adapters, ForAnotherBaseAreRefusedWithTheReason) {
  const Path folder = write("adapter");
  EXPECT_NO_THROW((void)read_adapter(folder, layout_, values_.data()));
  // Other weights of the same shape.
  std::vector<float> other = values_;
  for (float& value : other) value += 0.01F;
  EXPECT_THAT(
      complaint_of(ErrorKind::data, [&] { (void)read_adapter(folder, layout_, other.data()); }),
      HasSubstr("trained on other weights"));
  // Another shape.
  ModelConfig wider = config_;
  wider.intermediate_size += 8;
  const ParameterLayout layout = make_layout(wider);
  const std::vector<float> zeros(static_cast<std::size_t>(layout.size));
  EXPECT_THAT(
      complaint_of(ErrorKind::data, [&] { (void)read_adapter(folder, layout, zeros.data()); }),
      HasSubstr("wrong shape"));
  // Fewer layers.
  ModelConfig flatter = config_;
  flatter.num_hidden_layers = 1;
  EXPECT_THAT(
      complaint_of(ErrorKind::data,
                   [&] { (void)read_adapter(folder, make_layout(flatter), values_.data()); }),
      HasSubstr("unknown: base_model.model.model.layers.1."));
}

TEST_F(Adapters, ABaseThatIsMissingOrAnAdapterIsNamed) {
  EXPECT_THAT(complaint_of(ErrorKind::data,
                           [&] {
                             (void)find_student(write("lost", [](Json& json) {
                               json["base_model_name_or_path"] = "meta-llama/Llama-2-7b-hf";
                             }));
                           }),
              HasSubstr("\"meta-llama/Llama-2-7b-hf\" is not a folder here"));
  const Path first = write("first");
  EXPECT_THAT(complaint_of(ErrorKind::data,
                           [&] {
                             (void)find_student(write("second", [&](Json& json) {
                               json["base_model_name_or_path"] = first.string();
                             }));
                           }),
              HasSubstr("is an adapter itself"));
}

}  // namespace
}  // namespace tapir::student
