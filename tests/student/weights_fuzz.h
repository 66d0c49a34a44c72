// Fuzzing of safetensors files and config.json, shared by the short tests and the long ones.
#pragma once

#include <cstring>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "base/file.h"
#include "fuzzing.h"
#include "student/config.h"
#include "student/parameters.h"
#include "student/safetensors.h"
#include "test_data.h"

namespace tapir::student {

// Damage of the header's JSON with a length that fits it, or of any bytes.
inline std::string mutate_safetensors(const std::string& good, RandomStream& random) {
  std::uint64_t length = 0;
  std::memcpy(&length, good.data(), sizeof length);
  if (random.chance(0.3)) return testing::mutate_bytes(good, random);
  const std::string data = good.substr(8 + static_cast<std::size_t>(length));
  const std::string header =
      testing::mutate_json_text(good.substr(8, static_cast<std::size_t>(length)), random);
  length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

// Whatever the file says, it is read or refused as data; what is read lies within the file.
inline testing::FuzzPlan safetensors_plan() {
  testing::FuzzPlan plan;
  plan.name = "safetensors";
  std::vector<float> values(25);
  const std::string_view bytes(reinterpret_cast<const char*>(values.data()), 100);
  plan.corpus.push_back(safetensors_bytes({{"a", {DataType::f32, {5, 4}, bytes.substr(0, 80)}},
                                           {"b", {DataType::i32, {5}, bytes.substr(80)}}},
                                          {{"format", "pt"}}));
  plan.mutate = mutate_safetensors;
  plan.run = [](const std::string& input) {
    const testing::TemporaryFolder place;
    const std::filesystem::path path = place.path() / "x.safetensors";
    std::ofstream(path, std::ios::binary) << input;
    const SafetensorsFile file(path);
    std::size_t total = 0;
    for (const auto& [name, view] : file.tensors()) total += std::string(view.bytes).size();
    EXPECT_LT(total, input.size());
  };
  return plan;
}

// A config.json is understood or refused as data, and what is understood is possible.
inline testing::FuzzPlan config_plan() {
  testing::FuzzPlan plan;
  plan.name = "config.json";
  for (const char* name : {"llama3", "qwen2", "phi3"}) {
    plan.corpus.push_back(read_file(testing::goldens() / "families" / name / "config.json"));
  }
  plan.mutate = testing::mutate_json_text;
  plan.run = [](const std::string& input) {
    const ModelConfig config = parse_config(parse_json(input, "config.json"), "config.json");
    check_config(config);
    if (config.num_hidden_layers < 1000) (void)make_layout(config);
  };
  return plan;
}

}  // namespace tapir::student
