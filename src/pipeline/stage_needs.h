// Who works in a stage: training, the students, and which roles. Pure.
#pragma once

#include <set>

#include "pipeline/plan.h"
#include "pipeline/recipe.h"
#include "pipeline/role_model.h"

namespace tapir::pipeline {

struct StageNeeds {
  bool trains = false;
  bool answers = false;      // students answer
  bool losses = false;       // of students: by the native engine, whoever computes their answers
  std::set<RoleName> roles;  // that may be asked, whatever their kind
  bool any() const { return trains || answers || losses || !roles.empty(); }
};

StageNeeds needs_of(const Recipe& recipe, const PlannedStage& stage);

}  // namespace tapir::pipeline
