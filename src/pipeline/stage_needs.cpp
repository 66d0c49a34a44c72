#include "pipeline/stage_needs.h"

#include "base/error.h"
#include "pipeline/benchmarks.h"

namespace tapir::pipeline {
namespace {

// "none" | "teacher" | "auditor"
std::set<RoleName> role_called(const std::string& name) {
  if (name == "teacher") return {RoleName::teacher};
  if (name == "auditor") return {RoleName::auditor};
  return {};
}

// Whoever is asked where pairs are judged.
std::set<RoleName> judges(const Recipe& recipe) {
  const std::string& kind = recipe.judge.kind;
  if (kind == "rubric") return role_called(recipe.judge_rubric.role);
  if (kind == "answer_match" || kind == "overlap") return {};
  return {RoleName::judge};
}

const Arm& arm_of(const Recipe& recipe, const std::string& name) {
  return name == kMainArm ? recipe.tapir : recipe.arms.at(name);
}

bool labels_by_teacher(const Recipe& recipe) {
  return recipe.tasks.classifier != "given" && recipe.tasks.labelled.empty();
}

// Students answer, where they are judged; else their losses are measured.
void add_difficulty(const Recipe& recipe, const std::string& stage, StageNeeds& needs) {
  if (recipe.difficulty.method == "mfd") {
    needs.roles = judges(recipe);
    needs.answers = stage == "difficulty/held_out";
  } else {
    needs.losses = true;
  }
}

void add_exam(const Recipe& recipe, StageNeeds& needs) {
  needs.answers = true;
  if (recipe.data.held_out == 0 && recipe.sets.general.empty() && recipe.sets.instruction.empty())
    return;
  needs.losses = true;
  needs.roles = judges(recipe);
}

}  // namespace

StageNeeds needs_of(const Recipe& recipe, const PlannedStage& stage) {
  StageNeeds needs;
  const std::string& kind = stage.kind;
  const std::set<RoleName> teacher = {RoleName::teacher};
  if (kind == "responses") {
    needs.roles = teacher;
  } else if (kind == "tasks") {
    if (labels_by_teacher(recipe)) needs.roles = teacher;
  } else if (kind == "train") {
    needs.trains = true;
  } else if (kind == "answers") {
    needs.answers = true;
  } else if (kind == "difficulty") {
    add_difficulty(recipe, stage.name, needs);
  } else if (kind == "audit") {
    needs.roles = role_called(recipe.judge_audit.role);
  } else if (kind == "expand") {
    if (arm_of(recipe, stage.arm).expand) needs.roles = teacher;
  } else if (kind == "floor") {
    needs.answers = true;
    needs.roles = judges(recipe);
  } else if (kind == "refine") {
    if (arm_of(recipe, stage.arm).refine != "none") needs.roles = teacher;
  } else if (kind == "exam") {
    add_exam(recipe, needs);
  } else if (kind == "benchmark") {
    needs.roles = {benchmark_judge_of(recipe)};
  } else {
    check(kind == "data" || kind == "select" || kind == "mix", "a stage of kind " + kind);
  }
  return needs;
}

}  // namespace tapir::pipeline
