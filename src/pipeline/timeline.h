// `resources` of a recipe over the stages of its plan: which GPUs each stage uses for what, and
// which servers are up meanwhile. Pure, but for placing_of().
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "pipeline/plan.h"
#include "pipeline/recipe.h"
#include "pipeline/role_model.h"
#include "student/student.h"

namespace tapir::pipeline {

// What a timeline needs to know beside plan and recipe.
struct Machine {
  std::vector<std::int64_t> gpus;  // bytes of each, by CUDA's index
  // Of training by the native engine: where (MemoryPlan::device), and what it takes there.
  student::MemoryPlan training;
};

inline constexpr std::int64_t kAllOfIt = -1;

struct GpuUse {
  std::int64_t gpu = 0;
  std::string by;          // "training", "answers", "losses", "teacher's server"
  std::int64_t bytes = 0;  // at the most; or kAllOfIt
};

struct PlacedStage {
  std::string stage;
  std::set<RoleName> asks;  // roles with a server of the run's own that it may ask
  std::set<RoleName> up;    // those whose servers may be up meanwhile; holds `asks`
  std::vector<GpuUse> gpus;
};

// Whether the recipe says anything about resources.
bool says_resources(const Recipe& recipe);

// The role's part of `resources`; its command is empty for roles that have none.
const ServerPart& server_of(const Recipe& recipe, RoleName role);

// The GPUs of resources.<part>.gpus, or those of resources.gpus; empty: the recipe names none.
const std::vector<std::int64_t>& gpus_or_all(const Recipe& recipe,
                                             const std::vector<std::int64_t>& own);

// Of make_student_engine(): student.device, or the first of the GPUs that the recipe names for
// training, where it leaves the choice.
std::string student_device(const Recipe& recipe);

// A server is up from the first stage that asks its role: to the end (keep: run), or until a stage
// computes without it (keep: stage). In the plan's order.
std::vector<PlacedStage> timeline(const std::vector<PlannedStage>& plan, const Recipe& recipe,
                                  const Machine& machine);

// Error{usage} naming key, stage and GPU, what is needed and what there is: a GPU that is not
// there, is named twice, or is not among resources.gpus; a place for training or answers that
// contradicts the device; a stage whose parts do not fit into a GPU together.
void check_timeline(const std::vector<PlacedStage>& stages, const Recipe& recipe,
                    const Machine& machine);

// This machine's timeline, checked. Empty where the recipe says nothing about resources.
std::vector<PlacedStage> placing_of(const Recipe& recipe, const student::StudentEngine& engine,
                                    const std::vector<PlannedStage>& plan);

// A table: stage, servers that may be up, GPUs and what they are used for.
std::string timeline_text(const std::vector<PlacedStage>& stages);
Json timeline_json(const std::vector<PlacedStage>& stages);

}  // namespace tapir::pipeline
