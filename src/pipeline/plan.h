// The stages of a run in the order they are done, each with the fingerprint of all it depends on.
// Pure.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "pipeline/recipe.h"

namespace tapir::pipeline {

inline constexpr const char* kMainArm = "tapir";
inline constexpr const char* kBaselineArm = "plain";  // what others are compared with, when it runs
inline constexpr const char* kFinal = "final";  // the student that the run is for, by its folder
// Benchmarks, by their sections of `evaluate`; their stages are "<benchmark>/<student>".
inline constexpr const char* kAlpacaEval = "alpaca_eval";
inline constexpr const char* kMtBench = "mt_bench";
// Cross-fitting: the students of the two halves of D. Each answers the rows of the other half.
inline constexpr std::array<const char*, 2> kHalfStudents = {"s0-a", "s0-b"};

// What a plan needs to know beside the recipe: digests of what lies outside it.
struct PlanFacts {
  std::string data;             // of the instruction files, or of the gym's version
  std::string student;          // of the folder to start from
  std::string prompts;          // PromptSet::fingerprint()
  std::string taxonomy;         // Taxonomy::version, and of the labelled rows
  std::string teacher;          // identity
  std::string judge;            // identity
  std::string auditor;          // identity; empty: none of its own
  std::string sets;             // of the files of evaluate.sets; empty: none
  std::string benchmarks;       // of the files of evaluate.alpaca_eval and mt_bench
  std::string benchmark_judge;  // identity of who judges them
  std::string machine;          // StudentEngine::version(): CPU type, device and torch version
};

struct PlannedStage {
  std::string name;  // "tapir/round-2/train"
  std::string kind;  // "train"
  std::string arm;   // empty outside the arms
  int round = 0;
  std::vector<std::string> upstream;  // names of stages
  std::string fingerprint;
};

std::vector<PlannedStage> make_plan(const Recipe& recipe, const PlanFacts& facts);

// The stages that depend on `stage`, directly or not, in the plan's order.
std::vector<std::string> dependents_of(const std::vector<PlannedStage>& plan,
                                       const std::string& stage);

// Digest over the whole plan: the run's fingerprint.
std::string plan_fingerprint(const std::vector<PlannedStage>& plan);

// The arms in the order they are run: the main arm first (its expansions set the number of
// others'), then by name.
std::vector<std::pair<std::string, Arm>> arms_of(const Recipe& recipe);

// Whether an arm is taught round by round, between its trainings, because what a round is made of
// depends on how the student before did, or on such an arm. Else all its teaching comes before the
// first training.
bool taught_between_rounds(const Recipe& recipe, const std::string& name, const Arm& arm);

// Whether a sample of the arm's new pairs is judged before they are mixed (teach.floor).
bool has_floor(const Recipe& recipe, const Arm& arm);

// "s0", "s0-a", "tapir/round-2": the student that a training stage makes, and its folder below the
// run folder.
std::string student_name(const std::string& arm, int round);
std::string student_folder(const std::string& student);

}  // namespace tapir::pipeline
