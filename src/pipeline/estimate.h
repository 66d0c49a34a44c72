// What a run will take, before anything is spent: calls, tokens, money, time, memory, disk. Makes
// no calls.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "pipeline/recipe.h"
#include "pipeline/sample.h"
#include "student/student.h"

namespace tapir::pipeline {

struct StageEstimate {
  std::string stage;
  std::int64_t calls = 0;
  // Of endpoints: prompt and completion; of training and generation: through the student.
  std::int64_t tokens = 0;
  std::int64_t prompt_tokens = 0;  // of endpoints, these two
  std::int64_t completion_tokens = 0;
  double usd = 0;
  // Where rows of the stage were sampled: the 95 % interval of usd. Else both are usd.
  double usd_low = 0;
  double usd_high = 0;
  bool sampled = false;
  double seconds = 0;  // without batches: nobody knows how long one takes (a day at the most)
  int batches = 0;     // mode: batch: how many, one after the other
};
struct Estimate {
  std::vector<StageEstimate> stages;
  std::int64_t calls = 0;
  std::int64_t endpoint_tokens = 0;
  double usd = 0;
  double usd_low = 0;  // sums over the stages
  double usd_high = 0;
  double seconds = 0;
  int batches = 0;
  student::MemoryPlan memory;  // of training
  std::int64_t disk_bytes = 0;
};
// Counts rows, bytes and templates; what cannot be known before the run (the share of hard rows,
// lengths of replies, the speed of endpoints beyond their limits per minute) is assumed, and every
// assumption is in assumptions_text(). docs/cost.md works an example through.
// A sample takes the place of what is assumed about its stages, corrects the teacher's tokens of
// the others, and tells how long new answers are.
Estimate estimate(const Recipe& recipe, const student::StudentEngine& engine,
                  const Sample& sample = {});

// What asking about `rows` rows first would cost, by the estimate, and of which stages.
// Error{usage}: the recipe asks nobody before S_0 is trained.
struct SamplePlan {
  std::int64_t calls = 0;
  double usd = 0;
  std::vector<std::string> stages;
};
SamplePlan plan_sample(const Estimate& estimate, const Recipe& recipe, std::int64_t rows);
Json estimate_json(const Estimate& estimate);
std::string estimate_text(const Estimate& estimate);
// On one line.
std::string memory_text(const student::MemoryPlan& plan);
std::string assumptions_text();

}  // namespace tapir::pipeline
