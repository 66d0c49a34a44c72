// Whole runs with a student that needs no torch.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"
#include "fake_engine.h"
#include "pipeline/run.h"
#include "test_data.h"

namespace tapir::pipeline {

// A folder with a student "base", and runs in folders beside it.
class RunTest : public ::testing::Test {
 protected:
  RunTest() { testing::make_fake_base(folder_.path() / "base"); }

  Recipe parsed(const std::string& yaml, const std::vector<std::string>& overrides) const {
    return parse_recipe(yaml, "test.yaml", folder_.path(), overrides);
  }
  RunOutcome run_recipe(const std::string& name, Recipe recipe, RunOptions extra = {},
                        ProgressSink& progress = silent_progress(),
                        std::stop_token stop = {}) const {
    extra.run_dir = folder_.path() / name;
    return pipeline::Run(std::move(recipe), extra, std::make_shared<testing::FakeEngine>(),
                         progress, stop)
        .go();
  }
  std::unique_ptr<store::RunStore> open(const std::string& name) const {
    return store::RunStore::open(folder_.path() / name / "run.db", store::OpenMode::read_only);
  }

  testing::TemporaryFolder folder_;
};

class PipelineTest : public RunTest {
 protected:
  Recipe recipe(const std::vector<std::string>& overrides = {}) const {
    const std::string yaml =
        "student: {model_name_or_path: base}\n"
        "data: {gym: {rows: 300}}\n"
        "difficulty: {pilot_rows: 40}\n"
        "tasks: {taxonomy: gym, label_rows: 100}\n"
        "curriculum: {rounds: 2, rows: 200}\n"
        "train: {batch_tokens: 128, tokens: 4000}\n"
        "arms: {plain: {select: random, expand: false, balance: false, refine: none},\n"
        "       random_fresh: {select: random, expand_as_tapir: true, balance: false}}\n"
        "evaluate: {exam: {uniform: 80, pool: 20, beyond: 32}}\n";
    return parsed(yaml, overrides);
  }

  RunOptions options(const std::string& name) const {
    RunOptions out;
    out.run_dir = folder_.path() / name;
    return out;
  }

  RunOutcome run(const std::string& name, const std::vector<std::string>& overrides = {},
                 RunOptions extra = {}, std::stop_token stop = {}) {
    return run_recipe(name, recipe(overrides), std::move(extra), silent_progress(), stop);
  }

  std::string final_bytes(const std::string& name) const {
    return read_file(folder_.path() / name / "students/final/model.safetensors");
  }

  // What two runs must agree on.
  std::string rows_of(const std::string& name) const {
    const auto store = open(name);
    std::string text;
    for (const Instruction& row : store->instructions())
      text += row.id + row.task + row.prompt() + "\n";
    for (const std::string& author : store->authors()) {
      for (const Response& r : store->responses(author))
        text += author + r.instruction_id + r.text + "\n";
    }
    for (const Fit& fit : store->fits("student/s0"))
      text += fit.instruction_id + std::to_string(fit.gap()) + "\n";
    for (const char* arm : {"tapir", "plain", "random_fresh"}) {
      for (int round = 1; round <= 2; ++round) {
        for (const MixtureRow& row : store->mixture(arm, round))
          text += row.instruction_id + row.author + row.task + "\n";
      }
    }
    for (const std::string& student : store->exam_students()) {
      for (const store::ExamRow& row : store->exam_rows(student))
        text += student + row.item_id + row.answer + "\n";
    }
    return text;
  }
};

}  // namespace tapir::pipeline
