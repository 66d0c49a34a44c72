// What tests/goldens/{student,families,lora} hold beside the weights: rows, what transformers or
// PEFT computes on them, and the steps of a training.
#pragma once

#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "rows.h"
#include "student/gradients.h"
#include "student/optimizer.h"
#include "student/safetensors.h"
#include "test_data.h"

namespace tapir::testing {

// Folders of golden students, relative to goldens(): those of tests/goldens/families, behind
// others.
inline std::vector<std::string> and_families(std::vector<std::string> folders) {
  for (const char* name : {"llama3", "llama_biased", "mistral", "qwen2", "qwen3", "phi3"})
    folders.push_back(std::string("families/") + name);
  return folders;
}

// A tensor of a type that has floats.
inline std::vector<float> floats_of(const student::SafetensorsFile& file, const std::string& name) {
  const student::TensorView& view = file.tensors().at(name);
  std::vector<float> values(static_cast<std::size_t>(view.elements()));
  student::to_floats(view, values.data(), name);
  return values;
}

// The three sequences of a golden.safetensors.
inline std::vector<student::EncodedRow> golden_rows(const student::SafetensorsFile& file) {
  std::vector<student::EncodedRow> rows;
  for (const char* index : {"0", "1", "2"}) {
    const student::TensorView& tokens = file.tensors().at(std::string("tokens.") + index);
    const student::TensorView& mask = file.tensors().at(std::string("mask.") + index);
    std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens.elements()));
    std::memcpy(ids.data(), tokens.bytes.data(), tokens.bytes.size());
    student::EncodedRow row;
    row.id = std::string("row") + index;
    row.tokens = std::move(ids);
    row.loss = std::vector<std::uint8_t>(mask.bytes.begin(), mask.bytes.end());
    for (const std::uint8_t flag : row.loss) row.supervised += flag;
    rows.push_back(std::move(row));
  }
  return rows;
}

// The logits after every token of all sequences.
inline std::vector<float> golden_logits(const student::SafetensorsFile& file) {
  std::vector<float> logits;
  for (const char* index : {"0", "1", "2"}) {
    const std::vector<float> one = floats_of(file, std::string("logits.") + index);
    logits.insert(logits.end(), one.begin(), one.end());
  }
  return logits;
}

inline void expect_logits(const std::vector<float>& found, const std::vector<float>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-4) << i;
}

// AdamW as golden.json of the folder says: the same loss and gradient norm in every step. Returns
// the number of steps.
// values: what is learnt, laid out by `layout`; lanes: two.
inline std::size_t expect_golden_steps(const std::filesystem::path& folder,
                                       const std::vector<student::EncodedRow>& rows,
                                       const student::ParameterLayout& layout,
                                       std::vector<float> values, student::LaneGradients& lanes) {
  const std::filesystem::path file = folder / "golden.json";
  const Json golden = parse_json(read_file(file), file.string());
  student::TrainOptions options;
  options.weight_decay = golden.at("weight_decay");
  options.adam_beta1 = golden.at("betas").at(0);
  options.adam_beta2 = golden.at("betas").at(1);
  options.adam_epsilon = golden.at("eps");
  options.max_grad_norm = golden.at("max_grad_norm");
  student::TrainingState state;
  state.parameters = std::move(values);
  state.moments.clear(layout.size, "float32");
  const student::Optimizer optimizer(layout, options);
  student::LanePool pool(2);
  const std::size_t steps = golden.at("losses").size();
  for (std::size_t step = 0; step < steps; ++step) {
    const double loss = lanes.compute(state.parameters.data(), pointers_to(rows), pool).loss;
    const double norm = optimizer.reduce(lanes.gradients(), pool);
    optimizer.apply(lanes.gradients().front(), norm, golden.at("learning_rate"), state, pool);
    EXPECT_NEAR(loss, golden.at("losses").at(step).get<double>(), 1e-4) << "step " << step;
    EXPECT_NEAR(norm, golden.at("grad_norms").at(step).get<double>(), 1e-3) << "step " << step;
  }
  return steps;
}

}  // namespace tapir::testing
