// The weights of a folder: one file or shards, in each storage type, and what can be wrong.
#include "student/weight_files.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "error_of.h"
#include "student/half.h"
#include "student/parameters.h"
#include "test_data.h"

namespace tapir::student {
namespace {

using ::testing::HasSubstr;
using Path = std::filesystem::path;

class Weights : public ::testing::Test {
 protected:
  Weights() {
    config_.vocab_size = 30;
    config_.hidden_size = 16;
    config_.intermediate_size = 20;
    config_.num_hidden_layers = 2;
    config_.num_attention_heads = config_.num_key_value_heads = 2;
    config_.head_dim = 8;
    layout_ = make_layout(config_);
    RandomStream random(3, "test", "weights");
    for (std::int64_t i = 0; i < layout_.size; ++i)
      values_.push_back(static_cast<float>(random.normal() * std::exp(3 * random.normal())));
  }

  void write(StorageType type, std::uint64_t max_shard_size) const {
    write_parameters(layout_, values_.data(), place_, {type, max_shard_size});
  }
  std::vector<float> read() const {
    std::vector<float> values(values_.size());
    read_parameters(layout_, config_, place_, values.data());
    return values;
  }
  std::size_t shards() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(place_))
      count += entry.path().extension() == ".safetensors" ? 1 : 0;
    return count;
  }
  std::string error() const {
    const Error e = testing::error_of([&] { (void)read(); });
    EXPECT_EQ(e.kind(), ErrorKind::data);
    EXPECT_FALSE(e.hint().empty()) << e.what();
    EXPECT_THAT(e.what(), HasSubstr(place_.string()));
    return e.what();
  }
  // Changes the index by a function of its JSON.
  template <typename Change>
  void change_index(Change change) const {
    const Path file = place_ / "model.safetensors.index.json";
    Json json = parse_json(read_file(file), file.string());
    change(json);
    write_file(file, json.dump());
  }

  ModelConfig config_;
  ParameterLayout layout_;
  std::vector<float> values_;
  testing::TemporaryFolder folder_;
  const Path place_ = folder_.path();
};

TEST_F(Weights, EveryTypeInOneFileAndInShards) {
  for (const StorageType type :
       {StorageType::float32, StorageType::bfloat16, StorageType::float16}) {
    std::vector<float> expected = values_;
    for (float& value : expected) {
      if (type == StorageType::bfloat16) value = bfloat_to_float(float_to_bfloat(value));
      if (type == StorageType::float16) value = half_to_float(float_to_half(value));
    }
    for (const auto& [limit, least, most] :
         {std::tuple{0U, 1U, 1U}, {2500U, 3U, 20U}, {1U, 21U, 21U}}) {
      for (const auto& entry : std::filesystem::directory_iterator(place_))
        std::filesystem::remove(entry.path());
      write(type, limit);
      EXPECT_GE(shards(), least);
      EXPECT_LE(shards(), most);
      EXPECT_EQ(std::filesystem::exists(place_ / "model.safetensors.index.json"), limit > 0);
      EXPECT_EQ(read(), expected) << to_string(type) << " " << limit;
      // What was stored is stored again without a change.
      const WeightFiles files(place_);
      std::uint64_t bytes = 0;
      for (const auto& [name, view] : files.tensors()) bytes += view.bytes.size();
      EXPECT_EQ(bytes, values_.size() * (type == StorageType::float32 ? 4 : 2));
    }
  }
}

TEST_F(Weights, AViewIsReadAgainAfterItWasLetGo) {
  write(StorageType::float32, 0);
  const StoredParameters stored(layout_, config_, place_);
  for (int turn = 0; turn < 2; ++turn) {
    for (const Parameter& parameter : layout_.parameters) {
      std::vector<float> values(static_cast<std::size_t>(parameter.size));
      stored.read(parameter, values.data());
      stored.let_go(parameter);
      EXPECT_TRUE(std::equal(values.begin(), values.end(), values_.begin() + parameter.offset));
    }
  }
}

TEST_F(Weights, AShardThatIsMissingOrCutShort) {
  write(StorageType::bfloat16, 1000);
  const Path shard = WeightFiles(place_).file_of("model.norm.weight");
  const std::string bytes = read_file(shard);
  write_file(shard, bytes.substr(0, bytes.size() - 2));
  EXPECT_THAT(error(), HasSubstr(shard.filename().string()));
  std::filesystem::remove(shard);
  EXPECT_THAT(error(), HasSubstr("the shard " + shard.filename().string() + " is missing"));
}

TEST_F(Weights, AnIndexThatContradictsTheShards) {
  write(StorageType::float32, 2000);
  const std::string before = read_file(place_ / "model.safetensors.index.json");
  const std::string name = "model.norm.weight";
  const std::string first = Json::parse(before)["weight_map"]["model.embed_tokens.weight"];
  change_index([&](Json& json) { json["weight_map"][name] = first; });
  EXPECT_THAT(error(), HasSubstr("tensor \"model.norm.weight\" is not in " + first));
  change_index([&](Json& json) { json["weight_map"].erase(name); });
  EXPECT_THAT(error(), HasSubstr("tensor \"model.norm.weight\" is not in the index"));
  change_index([&](Json& json) { json["weight_map"][name] = "../model.safetensors"; });
  EXPECT_THAT(error(), HasSubstr("not the name of a file"));
  change_index([&](Json& json) { json["weight_map"] = {1, 2}; });
  EXPECT_THROW((void)read(), Error);
  write_file(place_ / "model.safetensors.index.json", before.substr(0, before.size() / 2));
  EXPECT_THROW((void)read(), Error);
}

TEST_F(Weights, ATensorInTwoShards) {
  write(StorageType::float32, 2000);
  const WeightFiles files(place_);
  const Path target = files.file_of("lm_head.weight");
  std::vector<NamedTensor> tensors{{"lm_head.weight", files.tensors().at("lm_head.weight")},
                                   {"model.norm.weight", files.tensors().at("model.norm.weight")}};
  const std::string bytes = safetensors_bytes(tensors);
  write_file(target, bytes);
  EXPECT_THAT(error(), HasSubstr("model.norm.weight"));
}

TEST_F(Weights, TypesThatAreNoNumbersOfAModel) {
  std::vector<NamedTensor> tensors = named_tensors(layout_, values_.data(), "");
  for (NamedTensor& tensor : tensors) tensor.view.type = DataType::i32;
  write_safetensors(place_ / "model.safetensors", tensors);
  EXPECT_THAT(error(), HasSubstr("neither F32, F16 nor BF16: model.embed_tokens.weight I32"));
}

TEST_F(Weights, NothingIsThere) {
  EXPECT_THAT(error(), HasSubstr("neither model.safetensors nor model.safetensors.index.json"));
}

}  // namespace
}  // namespace tapir::student
