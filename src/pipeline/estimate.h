// What a run will take, before anything is spent: calls, tokens, money, time, memory, disk. Makes
// no calls.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "pipeline/recipe.h"
#include "student/student.h"

namespace tapir::pipeline {

struct StageEstimate {
  std::string stage;
  std::int64_t calls = 0;
  std::int64_t tokens =
      0;  // of endpoints: prompt and completion; of training and generation: through the student
  double usd = 0;
  double seconds = 0;
};
struct Estimate {
  std::vector<StageEstimate> stages;
  std::int64_t calls = 0;
  std::int64_t endpoint_tokens = 0;
  double usd = 0;
  double seconds = 0;
  student::MemoryPlan memory;  // of training
  std::int64_t disk_bytes = 0;
};
// Assumes what stands in docs/recipe.md (share of hard rows, lengths); every assumption is in
// `assumptions_text`.
Estimate estimate(const Recipe& recipe, const student::StudentEngine& engine);
Json estimate_json(const Estimate& estimate);
std::string estimate_text(const Estimate& estimate);
// On one line.
std::string memory_text(const student::MemoryPlan& plan);
std::string assumptions_text();

}  // namespace tapir::pipeline
