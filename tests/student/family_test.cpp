// What holds for a student holds for one of every family: whole folders, made, saved, trained,
// stopped and gone on, asked alone and in company.
#include <cmath>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "error_of.h"
#include "family_shapes.h"
#include "student/families.h"
#include "student/parameters.h"
#include "student/student.h"
#include "student/student_from_config.h"
#include "test_data.h"
#include "tiny_student.h"

namespace tapir::student {
namespace {

using tapir::testing::WatchedProgress;
using ::testing::HasSubstr;
using Path = std::filesystem::path;

class FamilyFolder : public ::testing::TestWithParam<const char*> {
 protected:
  FamilyFolder() {
    NewStudent made = tapir::testing::tiny_student();
    made.config = tapir::testing::as_family(made.config, GetParam());
    made.config.tie_word_embeddings = false;
    make_new_student(made, base_);
    shape_ = made.config;
  }

  TrainJob job(const std::string& output) const {
    TrainJob made = tapir::testing::sum_job(base_, folder_.path() / output);
    made.options.max_steps = 6;
    return made;
  }

  std::map<std::string, std::string> answers(const Student& student, int slots, int rows) const {
    std::vector<GenerateRequest> requests;
    for (int i = 0; i < rows; ++i) {
      GenerateRequest request;
      request.id = std::to_string(i);
      for (int word = 0; word <= i; ++word) request.prompt += "what is 3+4 ";
      requests.push_back(request);
    }
    GenerateOptions options;
    options.sampling.max_new_tokens = 30;
    options.slots = slots;
    std::map<std::string, std::string> texts;
    student.generate(requests, options, [&](Generation made) { texts[made.id] = made.text; }, {});
    return texts;
  }

  testing::TemporaryFolder folder_;
  const Path base_ = folder_.path() / "base";
  ModelConfig shape_;
  std::shared_ptr<const StudentEngine> engine_ = make_student_engine();
};

TEST_P(FamilyFolder, ConfigIsReadAsItWasWritten) {
  ModelConfig found = read_config(base_);
  const ModelConfig whole = found;
  found.vocab_size = shape_.vocab_size;  // filled in from the tokenizer, as the ids
  found.bos_token_id = shape_.bos_token_id;
  found.eos_token_ids = shape_.eos_token_ids;
  found.pad_token_id = shape_.pad_token_id;
  if (found.sliding_layers.empty()) found.sliding_layers = shape_.sliding_layers;
  EXPECT_EQ(found, shape_);
  write_config(whole, folder_.path());
  EXPECT_EQ(read_config(folder_.path()), whole);
}

TEST_P(FamilyFolder, StoppedAndGoneOnEndsWithTheSameBytes) {
  const TrainJob whole = job("whole");
  ASSERT_TRUE(engine_->train(whole, silent_progress(), {}).finished);
  const TrainJob parts = job("parts");
  std::stop_source source;
  WatchedProgress progress([&](const ProgressUpdate& update) {
    if (update.done == 3) source.request_stop();
  });
  EXPECT_FALSE(engine_->train(parts, progress, source.get_token()).finished);
  EXPECT_TRUE(engine_->train(parts, silent_progress(), {}).finished);
  for (const char* name : {"model.safetensors", "optimizer.safetensors", "config.json"})
    EXPECT_EQ(read_file(whole.output_dir / name), read_file(parts.output_dir / name)) << name;
  EXPECT_EQ(read_file(whole.output_dir / "config.json"), read_file(base_ / "config.json"));
  EXPECT_NE(read_file(whole.output_dir / "model.safetensors"),
            read_file(base_ / "model.safetensors"));
}

TEST_P(FamilyFolder, ARowIsTheSameAloneAndInCompany) {
  const auto student = engine_->load(base_);
  const auto together = answers(*student, 16, 9);
  EXPECT_EQ(answers(*student, 1, 9), together);
  const std::vector<Example> rows = tapir::testing::sum_rows(6);
  const std::vector<TokenLosses> losses = student->token_losses(rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(student->token_losses(std::span(&rows[i], 1)).front().logprobs, losses[i].logprobs);
  }
}

TEST_P(FamilyFolder, ShardsAndHalfPrecisionAreTheSameStudent) {
  for (const StorageType type : {StorageType::float32, StorageType::bfloat16}) {
    StudentFromConfig wanted;
    wanted.config = base_ / "config.json";
    wanted.tokenizer = base_;
    wanted.seed = 3;
    wanted.torch_dtype = type;
    const auto one = make_student_from_config(wanted, folder_.path() / "one");
    wanted.max_shard_size = 5000;
    const auto many = make_student_from_config(wanted, folder_.path() / "many");
    EXPECT_EQ(one.files, 1U);
    EXPECT_GT(many.files, 3U);
    EXPECT_EQ(one.parameters, many.parameters);
    EXPECT_EQ(many.config.torch_dtype, type);
    EXPECT_EQ(read_config(folder_.path() / "many").torch_dtype, type);
    EXPECT_EQ(answers(*engine_->load(folder_.path() / "one"), 4, 3),
              answers(*engine_->load(folder_.path() / "many"), 4, 3));
  }
}

INSTANTIATE_TEST_SUITE_P(All, FamilyFolder, ::testing::ValuesIn(tapir::testing::kFamilyNames),
                         [](const auto& family) { return std::string(family.param); });

TEST(Families, AllAreTested) {
  std::vector<std::string> tested;
  for (const char* name : tapir::testing::kFamilyNames)
    tested.push_back(std::string(name) + "ForCausalLM");
  std::vector<std::string> known;
  for (const Family& family : families()) known.emplace_back(family.architecture);
  EXPECT_EQ(known, tested);
}

// What transformers' configuration classes say where config.json is silent.
ModelConfig parse(const std::string& family, Json more) {
  Json json = {{"architectures", {family + "ForCausalLM"}},
               {"vocab_size", 100},
               {"hidden_size", 2048},
               {"intermediate_size", 64},
               {"num_hidden_layers", 4},
               {"num_attention_heads", 32}};
  if (!more.is_null()) json.update(more);
  return parse_config(json, "config.json");
}

TEST(Families, SilentKeysTakeTheDefaultsOfTheFamily) {
  EXPECT_EQ(parse("Llama", {}).num_key_value_heads, 32);
  EXPECT_EQ(parse("Llama", {}).head_dim, 64);
  EXPECT_EQ(parse("Llama", {}).max_position_embeddings, 2048);
  EXPECT_EQ(parse("Mistral", {}).num_key_value_heads, 8);
  EXPECT_EQ(parse("Mistral", {{"num_key_value_heads", nullptr}}).num_key_value_heads, 32);
  EXPECT_EQ(parse("Mistral", {}).sliding_window, 4096);
  EXPECT_EQ(parse("Mistral", {{"sliding_window", nullptr}}).sliding_window, 0);
  EXPECT_TRUE(parse("Qwen2", {}).qkv_bias);
  EXPECT_FALSE(parse("Qwen2", {}).o_bias);
  EXPECT_EQ(parse("Qwen2", {{"sliding_window", 4096}}).sliding_window, 0);
  EXPECT_EQ(parse("Qwen3", {}).head_dim, 128);
  EXPECT_TRUE(parse("Qwen3", {}).qk_norm);
  EXPECT_EQ(parse("Phi3", {}).rms_norm_eps, 1e-5);
  EXPECT_EQ(parse("Phi3", {{"sliding_window", 2047}}).window_of(3), 2047);
}

TEST(Families, WindowsByLayer) {
  const ModelConfig from = parse(
      "Qwen2", {{"use_sliding_window", true}, {"sliding_window", 8}, {"max_window_layers", 3}});
  EXPECT_EQ(from.sliding_layers, (std::vector<bool>{false, false, false, true}));
  const ModelConfig types = parse(
      "Qwen3", {{"use_sliding_window", true},
                {"sliding_window", 8},
                {"layer_types",
                 {"sliding_attention", "full_attention", "full_attention", "sliding_attention"}}});
  EXPECT_EQ(types.window_of(0), 8);
  EXPECT_EQ(types.window_of(1), 0);
  EXPECT_THROW(parse("Qwen3", {{"layer_types", {"full_attention"}}}), Error);
  EXPECT_THROW(parse("Qwen3", {{"layer_types", Json(4, "chunked_attention")}}), Error);
  EXPECT_THROW(parse("Qwen3", {{"layer_types", Json(4, "sliding_attention")}}), Error);
}

// transformers 4 and 5 write the same model in two ways.
TEST(Families, BothFormsOfRotaryKeysAndTypes) {
  const Json scaling = {{"rope_type", "llama3"},
                        {"factor", 8.0},
                        {"low_freq_factor", 1.0},
                        {"high_freq_factor", 4.0},
                        {"original_max_position_embeddings", 8192}};
  Json parameters = scaling;
  parameters["rope_theta"] = 5e5;
  const ModelConfig four =
      parse("Llama", {{"rope_theta", 5e5}, {"rope_scaling", scaling}, {"torch_dtype", "bfloat16"}});
  const ModelConfig five = parse("Llama", {{"rope_parameters", parameters}, {"dtype", "bfloat16"}});
  EXPECT_EQ(four, five);
  EXPECT_EQ(four.rope_scaling.type, RopeType::llama3);
  EXPECT_EQ(four.torch_dtype, StorageType::bfloat16);
  EXPECT_EQ(parse("Llama", {{"rope_scaling", {{"type", "linear"}, {"factor", 2}}}}).rope_scaling,
            (RopeScaling{RopeType::linear, 2}));
}

class FromConfig : public ::testing::Test {
 protected:
  StudentFromConfig wanted(const Json& more) const {
    Json json = {
        {"model_type", "qwen2"},       {"vocab_size", 50},         {"hidden_size", 64},
        {"intermediate_size", 96},     {"num_hidden_layers", 2},   {"num_attention_heads", 4},
        {"num_key_value_heads", 2},    {"initializer_range", 0.1}, {"pad_token_id", 7},
        {"tie_word_embeddings", true}, {"eos_token_id", 3},        {"my_note", nullptr}};
    json.erase("my_note");
    if (!more.is_null()) json.update(more);
    write_file(folder_.path() / "given.json", json.dump());
    StudentFromConfig made;
    made.config = folder_.path() / "given.json";
    made.seed = 11;
    return made;
  }
  std::string error_of(const StudentFromConfig& made) const {
    const Error e = testing::error_of([&] { (void)make_student_from_config(made, place_); });
    EXPECT_FALSE(std::filesystem::exists(place_));
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / "student.new"));
    return e.what();
  }
  testing::TemporaryFolder folder_;
  const Path place_ = folder_.path() / "student";
};

TEST_F(FromConfig, WeightsAreThoseOfTransformersInitialisation) {
  const auto made = make_student_from_config(wanted({}), place_);
  const ModelConfig config = read_config(place_);
  EXPECT_EQ(config, made.config);
  const ParameterLayout layout = make_layout(config);
  EXPECT_EQ(layout.size, made.parameters);
  std::vector<float> values(static_cast<std::size_t>(layout.size));
  read_parameters(layout, config, place_, values.data());
  for (const Parameter& parameter : layout.parameters) {
    double squares = 0;
    for (std::int64_t i = 0; i < parameter.size; ++i) {
      const double value = values[static_cast<std::size_t>(parameter.offset + i)];
      squares += value * value;
      ASSERT_TRUE(parameter.kind != ParameterKind::norm || value == 1) << parameter.name;
      ASSERT_TRUE(parameter.kind != ParameterKind::bias || value == 0) << parameter.name;
    }
    if (parameter.kind != ParameterKind::matrix) continue;
    EXPECT_NEAR(std::sqrt(squares / static_cast<double>(parameter.size)), 0.1, 0.006)
        << parameter.name;
  }
  for (int i = 0; i < 64; ++i)
    EXPECT_EQ(values[static_cast<std::size_t>(layout.embed_tokens + 7 * 64 + i)], 0);
  const Json generation =
      parse_json(read_file(place_ / "generation_config.json"), "generation_config.json");
  EXPECT_EQ(generation["eos_token_id"], 3);
  EXPECT_EQ(generation["pad_token_id"], 7);
}

TEST_F(FromConfig, WhatCannotBeMade) {
  EXPECT_THAT(error_of(wanted({{"model_type", "gemma2"}})),
              ::testing::AllOf(HasSubstr("gemma2"), HasSubstr("Phi3ForCausalLM")));
  EXPECT_THAT(error_of(wanted({{"num_attention_heads", 5}})), HasSubstr("num_attention_heads"));
  EXPECT_THAT(error_of(wanted({{"attn_logit_softcapping", 50}})),
              HasSubstr("attn_logit_softcapping"));
  const Path base = folder_.path() / "base";
  make_new_student(tapir::testing::tiny_student(), base);
  StudentFromConfig small = wanted({});
  small.tokenizer = base;
  EXPECT_THAT(error_of(small), HasSubstr("vocab_size is 50"));
}

}  // namespace
}  // namespace tapir::student
