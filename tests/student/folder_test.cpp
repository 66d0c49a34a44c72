// Student folders: fresh ones, and the ways in which a folder can be wrong.
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "error_of.h"
#include "student/config.h"
#include "student/new_student.h"
#include "student/parameters.h"
#include "student/student.h"
#include "test_data.h"
#include "tiny_student.h"

namespace tapir::student {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Path = std::filesystem::path;

class Folder : public ::testing::Test {
 protected:
  Folder() { make_new_student(tapir::testing::tiny_student(), place_); }

  // The error of loading the folder; what it says must name a file of it.
  Error load_error() const {
    const Error e = testing::error_of([&] { (void)engine_->load(place_); });
    EXPECT_EQ(e.kind(), ErrorKind::data) << e.what();
    EXPECT_THAT(e.what(), HasSubstr(place_.string()));
    EXPECT_FALSE(e.hint().empty()) << e.what();
    return e;
  }

  void change_config(const std::string& key, const Json& value) const {
    const Path file = place_ / "config.json";
    Json config = parse_json(read_file(file), file.string());
    config[key] = value;
    write_file(file, config.dump());
  }

  testing::TemporaryFolder folder_;
  Path place_ = folder_.path() / "student";
  std::shared_ptr<const StudentEngine> engine_ = make_student_engine();
};

TEST_F(Folder, AFreshStudentIsWholeAndRepeatable) {
  const auto made = engine_->load(place_);
  EXPECT_EQ(made->context_length(), 96);
  const ModelConfig config = read_config(place_);
  EXPECT_EQ(made->parameter_count(), make_layout(config).size);
  ASSERT_EQ(config.eos_token_ids.size(), 1U);
  EXPECT_EQ(made->tokenize("<|im_end|>", true),
            (std::vector<std::int32_t>{config.eos_token_ids[0]}));
  EXPECT_GT(made->tokenize("<|im_end|>", false).size(), 1U);
  const Path again = folder_.path() / "again";
  make_new_student(tapir::testing::tiny_student(), again);
  EXPECT_EQ(read_file(again / "model.safetensors"), read_file(place_ / "model.safetensors"));
  NewStudent other = tapir::testing::tiny_student();
  other.seed = 6;
  make_new_student(other, again);
  EXPECT_NE(read_file(again / "model.safetensors"), read_file(place_ / "model.safetensors"));
}

TEST_F(Folder, FreshWeightsAreDrawnAsTransformersDoes) {
  const ModelConfig config = read_config(place_);
  const ParameterLayout layout = make_layout(config);
  std::vector<float> values(static_cast<std::size_t>(layout.size));
  read_parameters(layout, config, place_, values.data());
  for (const Parameter& parameter : layout.parameters) {
    double sum = 0;
    double squares = 0;
    for (std::int64_t i = 0; i < parameter.size; ++i) {
      const double value = values[static_cast<std::size_t>(parameter.offset + i)];
      sum += value;
      squares += value * value;
      EXPECT_TRUE(parameter.kind != ParameterKind::norm || value == 1);
    }
    const auto size = static_cast<double>(parameter.size);
    if (parameter.kind == ParameterKind::norm) continue;
    EXPECT_NEAR(sum / size, 0, 5 * 0.05 / std::sqrt(size)) << parameter.name;
    EXPECT_NEAR(std::sqrt(squares / size), 0.05, 0.006) << parameter.name;
  }
}

TEST_F(Folder, ConfigSurvivesWritingAndReading) {
  ModelConfig config = read_config(place_);
  config.rope_theta = 1e6;
  config.rms_norm_eps = 1e-5;
  config.eos_token_ids = {1, 2};
  config.bos_token_id = 3;
  config.tie_word_embeddings = false;
  write_config(config, folder_.path());
  EXPECT_EQ(read_config(folder_.path()), config);
}

TEST_F(Folder, NewerRotaryParametersAreRead) {
  change_config("rope_parameters", {{"rope_theta", 5000.0}, {"rope_type", "default"}});
  EXPECT_EQ(read_config(place_).rope_theta, 5000);
}

TEST_F(Folder, UnsupportedConfigsNameFileAndKey) {
  const auto refused = [&](const std::string& key, const Json& value) {
    const std::string before = read_file(place_ / "config.json");
    change_config(key, value);
    const std::string what = load_error().what();
    write_file(place_ / "config.json", before);
    return what;
  };
  EXPECT_THAT(refused("architectures", {"GemmaForCausalLM"}),
              AllOf(HasSubstr("architectures"), HasSubstr("Qwen3ForCausalLM")));
  EXPECT_THAT(refused("architectures", {"MistralForCausalLM"}), HasSubstr("model_type"));
  EXPECT_THAT(refused("rope_scaling", {{"rope_type", "yarn"}}), HasSubstr("rope_scaling"));
  EXPECT_THAT(refused("rope_scaling", {{"rope_type", "llama3"}, {"factor", 8}}),
              HasSubstr("low_freq_factor"));
  EXPECT_THAT(refused("rope_parameters", {{"rope_type", "longrope"}}), HasSubstr("longrope"));
  EXPECT_THAT(refused("rope_scaling", {{"rope_type", "linear"}, {"factor", 2}, {"beta", 1}}),
              HasSubstr("unknown key \"beta\""));
  EXPECT_THAT(refused("hidden_act", "gelu"), HasSubstr("hidden_act"));
  EXPECT_THAT(refused("final_logit_softcapping", 30), HasSubstr("final_logit_softcapping"));
  EXPECT_THAT(refused("torch_dtype", "int8"), HasSubstr("dtype"));
  EXPECT_THAT(refused("attention_bias", true),
              HasSubstr("missing: model.layers.0.self_attn.q_proj.bias"));
  // A value of the wrong kind, and values that cannot be.
  const std::string before = read_file(place_ / "config.json");
  for (const auto& [key, value] : {std::pair<std::string, Json>{"hidden_size", "96"},
                                   {"hidden_size", 0},
                                   {"num_key_value_heads", 3},
                                   {"head_dim", 7},
                                   {"vocab_size", 1 << 30}}) {
    change_config(key, value);
    EXPECT_THROW((void)engine_->load(place_), Error) << key;
    write_file(place_ / "config.json", before);
  }
}

TEST_F(Folder, AllThatIsUnsupportedIsListed) {
  change_config("hidden_act", "gelu");
  change_config("attention_dropout", 0.1);
  change_config("sliding_window", 12);
  change_config("clip_qkv", 8);
  EXPECT_THAT(load_error().what(),
              AllOf(HasSubstr("hidden_act"), HasSubstr("attention_dropout"),
                    HasSubstr("unknown keys \"clip_qkv\", \"sliding_window\"")));
}

TEST_F(Folder, WithoutTokenizer) {
  std::filesystem::remove(place_ / "tokenizer.json");
  EXPECT_THAT(load_error().what(), HasSubstr("tokenizer.json"));
}

TEST_F(Folder, WithoutConfigOrWeights) {
  std::filesystem::remove(place_ / "model.safetensors");
  EXPECT_THAT(load_error().what(), HasSubstr("model.safetensors"));
  std::filesystem::remove(place_ / "config.json");
  EXPECT_THAT(load_error().what(), HasSubstr("config.json"));
}

TEST_F(Folder, WithTruncatedWeights) {
  const std::string bytes = read_file(place_ / "model.safetensors");
  write_file(place_ / "model.safetensors", bytes.substr(0, bytes.size() / 2));
  EXPECT_THAT(load_error().what(), HasSubstr("model.safetensors"));
}

TEST_F(Folder, WithShapesThatContradictTheConfig) {
  change_config("intermediate_size", 64);
  const std::string what = load_error().what();
  EXPECT_THAT(
      what,
      HasSubstr("model.layers.0.mlp.down_proj.weight [32, 48] where config.json says [32, 64]"));
}

TEST_F(Folder, WithMissingAndUnknownWeights) {
  change_config("num_hidden_layers", 3);
  EXPECT_THAT(load_error().what(), HasSubstr("missing: model.layers.2.input_layernorm.weight"));
  change_config("num_hidden_layers", 1);
  EXPECT_THAT(load_error().what(), HasSubstr("unknown: model.layers.1."));
}

TEST_F(Folder, WithATokenizerOfMoreTokensThanEmbeddings) {
  NewStudent small = tapir::testing::tiny_student();
  small.config.vocab_size = 100;
  EXPECT_THROW(make_new_student(small, folder_.path() / "small"), Error);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "small"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "small.new"));
}

TEST_F(Folder, TokenLossesAreThoseOfTheAnswer) {
  const auto student = engine_->load(place_);
  const std::vector<Example> rows = tapir::testing::sum_rows(5);
  const std::vector<TokenLosses> together = student->token_losses(rows);
  ASSERT_EQ(together.size(), 5U);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const TokenLosses alone = student->token_losses(std::span(&rows[i], 1)).front();
    EXPECT_EQ(alone.logprobs, together[i].logprobs);
    EXPECT_EQ(alone.id, rows[i].id);
    // The answer's tokens and the end of the turn.
    std::vector<std::int32_t> expected = student->tokenize(rows[i].segments[1].text, false);
    expected.push_back(read_config(place_).eos_token_ids[0]);
    EXPECT_EQ(alone.tokens, expected);
    EXPECT_NEAR(alone.loss, std::log(static_cast<double>(read_config(place_).vocab_size)), 1.0);
  }
  Example silent = rows[0];
  silent.segments[1].loss = false;
  EXPECT_TRUE(std::isnan(student->token_losses(std::span(&silent, 1)).front().loss));
}

TEST_F(Folder, TheEngineSaysWhatItRunsOn) {
  EXPECT_THAT(engine_->version(), HasSubstr("torch 2."));
  EXPECT_THAT(engine_->version(), HasSubstr("kernels"));
}

}  // namespace
}  // namespace tapir::student
