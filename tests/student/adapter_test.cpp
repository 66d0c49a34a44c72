// Low-rank adapters against PEFT (tests/goldens/lora/make_goldens.py), and their invariants.
#include "student/adapter.h"

#include <cmath>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "student/adapter_file.h"
#include "student/gradients.h"
#include "student/model.h"
#include "student/optimizer.h"
#include "test_data.h"

namespace tapir::student {
namespace {

using ::testing::HasSubstr;
using Path = std::filesystem::path;

const Path kGoldens = Path(TAPIR_SOURCE_DIR) / "tests" / "goldens";

std::vector<float> floats(const SafetensorsFile& file, const std::string& name) {
  const TensorView& view = file.tensors().at(name);
  std::vector<float> values(static_cast<std::size_t>(view.elements()));
  to_floats(view, values.data(), name);
  return values;
}

EncodedRow read_row(const SafetensorsFile& file, int index) {
  const TensorView& tokens = file.tensors().at("tokens." + std::to_string(index));
  const TensorView& mask = file.tensors().at("mask." + std::to_string(index));
  EncodedRow row;
  row.id = "row" + std::to_string(index);
  std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens.elements()));
  std::memcpy(ids.data(), tokens.bytes.data(), tokens.bytes.size());
  row.tokens = std::move(ids);
  row.loss = std::vector<std::uint8_t>(mask.bytes.begin(), mask.bytes.end());
  for (const std::uint8_t flag : row.loss) row.supervised += flag;
  return row;
}

double relative_difference(const float* found, const std::vector<float>& expected) {
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(found[i]) - static_cast<double>(expected[i]), 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / norm);
}

class AdapterGolden : public ::testing::TestWithParam<const char*> {
 protected:
  AdapterGolden()
      : folder_(kGoldens / "lora" / GetParam()),
        golden_(folder_ / "golden.safetensors"),
        base_(load_model(find_student(folder_).base)),
        adapter_(read_adapter(folder_, base_->layout, base_->parameters())) {
    const SafetensorsFile sequences(find_student(folder_).base / "golden.safetensors");
    for (int i = 0; i < 3; ++i) rows_.push_back(read_row(sequences, i));
  }

  std::vector<const EncodedRow*> batch() const {
    std::vector<const EncodedRow*> rows;
    for (const EncodedRow& row : rows_) rows.push_back(&row);
    return rows;
  }
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
    for (int i = 0; i < 3; ++i) {
      PackedBatch packed;
      const EncodedRow& row = rows_[static_cast<std::size_t>(i)];
      append_sequence(packed, row.tokens, row.loss);
      const std::vector<float> expected = floats(golden_, "logits." + std::to_string(i));
      std::vector<float> logits(expected.size());
      decoder.logits(parameters, packed, logits.data());
      for (std::size_t at = 0; at < expected.size(); ++at)
        ASSERT_NEAR(logits[at], expected[at], 1e-4) << i << " " << at;
    }
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
  lanes.compute(adapter_.values.data(), batch(), pool);
  const Optimizer optimizer(adapter_.layout.values, train_options_);
  (void)optimizer.reduce(lanes.gradients(), pool);
  EXPECT_GT(adapter_.layout.values.parameters.size(), 10U);
  for (const Parameter& parameter : adapter_.layout.values.parameters) {
    EXPECT_LT(relative_difference(lanes.gradients().front().data() + parameter.offset,
                                  floats(golden_, "grad." + parameter.name)),
              1e-4)
        << parameter.name;
  }
}

TEST_P(AdapterGolden, LossesOfTwentySteps) {
  const Path file = folder_ / "golden.json";
  const Json golden = parse_json(read_file(file), file.string());
  TrainOptions train;
  train.weight_decay = golden.at("weight_decay");
  train.adam_beta1 = golden.at("betas").at(0);
  train.adam_beta2 = golden.at("betas").at(1);
  train.adam_epsilon = golden.at("eps");
  train.max_grad_norm = golden.at("max_grad_norm");
  TrainingState state;
  state.parameters = adapter_.values;
  state.moments.clear(adapter_.layout.values.size, "float32");
  const Optimizer optimizer(adapter_.layout.values, train);
  LanePool pool(2);
  LaneGradients lanes(base_->config, options(2));
  ASSERT_EQ(golden.at("losses").size(), 20U);
  for (std::size_t step = 0; step < 20; ++step) {
    const StepLoss loss = lanes.compute(state.parameters.data(), batch(), pool);
    const double norm = optimizer.reduce(lanes.gradients(), pool);
    optimizer.apply(lanes.gradients().front(), norm, golden.at("learning_rate"), state, pool);
    EXPECT_NEAR(loss.loss, golden.at("losses").at(step).get<double>(), 1e-4) << "step " << step;
    EXPECT_NEAR(norm, golden.at("grad_norms").at(step).get<double>(), 1e-3) << "step " << step;
  }
}

// Lanes, micro-batches, packing and gradient checkpointing change nothing, dropout included.
TEST_P(AdapterGolden, HowAStepIsCutDoesNotMatter) {
  const auto computed = [&](const LaneOptions& how, std::int64_t step) {
    LanePool pool(how.lanes);
    LaneGradients lanes(base_->config, how);
    const double loss = lanes.compute(adapter_.values.data(), batch(), pool, step).loss;
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
      EXPECT_LT(relative_difference(cut.second.data(), whole.second), 1e-5) << how.lanes;
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
      : base_folder_(kGoldens / "student" / "gqa_untied"),
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
  std::string error_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& e) {
      return std::string(e.what()) + " -> " + e.hint();
    }
    return "no error";
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
  const std::string error = error_of([&] { (void)make_adapter_layout(layout_, config); });
  EXPECT_THAT(error, HasSubstr("lm_head, c_attn"));
  EXPECT_THAT(error, HasSubstr("down_proj, gate_proj, k_proj"));
}

TEST_F(Adapters, WhatIsNotBuiltIsListed) {
  const Path folder = write("dora", [](Json& json) {
    json["use_dora"] = true;
    json["bias"] = "all";
    json["rank_pattern"] = {{"q_proj", 4}};
  });
  const std::string error = error_of([&] { (void)read_adapter_config(folder); });
  EXPECT_THAT(error, HasSubstr("use_dora = true"));
  EXPECT_THAT(error, HasSubstr("rank_pattern"));
  EXPECT_THAT(error, HasSubstr("bias = \"all\""));
  EXPECT_THAT(
      error_of([&] { (void)read_adapter_config(write("r", [](Json& json) { json["r"] = 0; })); }),
      HasSubstr("r: found 0"));
  EXPECT_THAT(
      error_of([&] {
        (void)read_adapter_config(write("ia3", [](Json& json) { json["peft_type"] = "IA3"; }));
      }),
      HasSubstr("IA3"));
}

TEST_F(Adapters, ForAnotherBaseAreRefusedWithTheReason) {
  const Path folder = write("adapter");
  EXPECT_NO_THROW((void)read_adapter(folder, layout_, values_.data()));
  // Other weights of the same shape.
  std::vector<float> other = values_;
  for (float& value : other) value += 0.01F;
  EXPECT_THAT(error_of([&] { (void)read_adapter(folder, layout_, other.data()); }),
              HasSubstr("trained on other weights"));
  // Another shape.
  ModelConfig wider = config_;
  wider.intermediate_size += 8;
  const ParameterLayout layout = make_layout(wider);
  const std::vector<float> zeros(static_cast<std::size_t>(layout.size));
  EXPECT_THAT(error_of([&] { (void)read_adapter(folder, layout, zeros.data()); }),
              HasSubstr("wrong shape"));
  // Fewer layers.
  ModelConfig flatter = config_;
  flatter.num_hidden_layers = 1;
  EXPECT_THAT(error_of([&] { (void)read_adapter(folder, make_layout(flatter), values_.data()); }),
              HasSubstr("unknown: base_model.model.model.layers.1."));
}

TEST_F(Adapters, ABaseThatIsMissingOrAnAdapterIsNamed) {
  EXPECT_THAT(error_of([&] {
                (void)find_student(write("lost", [](Json& json) {
                  json["base_model_name_or_path"] = "meta-llama/Llama-2-7b-hf";
                }));
              }),
              HasSubstr("\"meta-llama/Llama-2-7b-hf\" is not a folder here"));
  const Path first = write("first");
  EXPECT_THAT(error_of([&] {
                (void)find_student(write("second", [&](Json& json) {
                  json["base_model_name_or_path"] = first.string();
                }));
              }),
              HasSubstr("is an adapter itself"));
}

}  // namespace
}  // namespace tapir::student
