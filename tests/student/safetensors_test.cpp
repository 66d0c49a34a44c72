#include "student/safetensors.h"

#include <cmath>
#include <cstring>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "test_data.h"
#include "weights_fuzz.h"

namespace tapir::student {
namespace {

using ::testing::HasSubstr;

// Without flushing to disk, which write_file() does: these tests write thousands of files.
void write_quickly(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::string with_length(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

class Safetensors : public ::testing::Test {
 protected:
  // The message of the error that reading these bytes gives; empty when they are read.
  std::string error_of(const std::string& bytes) const {
    write_quickly(path_, bytes);
    try {
      const SafetensorsFile file(path_);
      return {};
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::data);
      EXPECT_THAT(e.what(), HasSubstr(path_.string()));
      return e.what();
    }
  }

  std::string sound_file() const {
    const std::vector<float> a = {1, 2, 3, 4, 5, 6};
    const std::vector<std::int64_t> b = {7};
    write_safetensors(
        path_,
        {{"b", {DataType::i64, {}, {reinterpret_cast<const char*>(b.data()), 8}}},
         {"a", {DataType::f32, {2, 3}, {reinterpret_cast<const char*>(a.data()), 24}}},
         {"empty", {DataType::u8, {0, 4}, {}}}},
        {{"format", "pt"}});
    return read_file(path_);
  }

  testing::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "x.safetensors";
};

TEST_F(Safetensors, WhatIsWrittenIsRead) {
  const std::string bytes = sound_file();
  const SafetensorsFile file(path_);
  ASSERT_EQ(file.tensors().size(), 3U);
  const TensorView& a = file.tensors().at("a");
  EXPECT_EQ(a.type, DataType::f32);
  EXPECT_EQ(a.shape, (std::vector<std::int64_t>{2, 3}));
  std::vector<float> values(6);
  to_floats(a, values.data(), "a");
  EXPECT_EQ(values, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(file.tensors().at("b").elements(), 1);
  EXPECT_EQ(file.metadata().at("format"), "pt");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0U);
  EXPECT_EQ(sound_file(), bytes);
}

TEST_F(Safetensors, HalfPrecisionBecomesFloat) {
  const std::uint16_t half[] = {0x3c00, 0xc000, 0x0001, 0x7c00, 0x8000};
  const std::uint16_t brain[] = {0x3f80, 0xc000};
  float out[5];
  to_floats({DataType::f16, {5}, {reinterpret_cast<const char*>(half), 10}}, out, "x");
  EXPECT_EQ(out[0], 1.0F);
  EXPECT_EQ(out[1], -2.0F);
  EXPECT_EQ(out[2], 0x1p-24F);
  EXPECT_TRUE(std::isinf(out[3]));
  EXPECT_TRUE(std::signbit(out[4]));
  to_floats({DataType::bf16, {2}, {reinterpret_cast<const char*>(brain), 4}}, out, "x");
  EXPECT_EQ(out[0], 1.0F);
  EXPECT_EQ(out[1], -2.0F);
  EXPECT_THROW(to_floats({DataType::i8, {1}, "x"}, out, "x"), Error);
}

TEST_F(Safetensors, EveryTruncationIsAnError) {
  const std::string bytes = sound_file();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(error_of(bytes.substr(0, size)), "") << size;
  }
  EXPECT_NE(error_of(bytes + "x"), "");
}

TEST_F(Safetensors, LyingHeadersAreNamed) {
  EXPECT_THAT(error_of(std::string("\0\0\0\0\0\0\0\x80{}", 10)), HasSubstr("header claims"));
  struct Lie {
    const char* header;
    const char* tensors;  // bytes behind the header
    const char* said;
  };
  for (const Lie& lie : {
           Lie{"{]", "", "not valid JSON"},
           Lie{"[]", "", "not a JSON object"},
           Lie{R"({"a":7})", "", "not an object"},
           Lie{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
               R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
               "1234", "occurs twice"},
           Lie{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
               R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
               "1234", "overlaps"},
           Lie{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", "12345678",
               "unused bytes"},
           Lie{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "1234", "do not give"},
           Lie{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", "1234", "outside"},
           Lie{R"({"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807],)"
               R"("data_offsets":[0,4]}})",
               "1234", "do not give"},
           Lie{R"({"a":{"dtype":"F3","shape":[1],"data_offsets":[0,4]}})", "1234", "unknown dtype"},
           Lie{R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", "1234",
               "whole numbers"},
       }) {
    EXPECT_THAT(error_of(with_length(lie.header, lie.tensors)), HasSubstr(lie.said)) << lie.header;
  }
}

TEST(SafetensorsFuzz, IsReadOrRefused) {
  testing::FuzzPlan plan = safetensors_plan();
  plan.iterations = 800;
  EXPECT_GT(testing::fuzz(plan).refused, 500U);
}

TEST(ConfigFuzz, IsReadOrRefused) {
  testing::FuzzPlan plan = config_plan();
  plan.iterations = 500;
  EXPECT_GT(testing::fuzz(plan).refused, 250U);
}

}  // namespace
}  // namespace tapir::student
