// Why a stage that asks a model could not be completed: one wording for runs and file commands.
#pragma once

#include <filesystem>
#include <string>

#include "llm/budget.h"
#include "pipeline/role_model.h"

namespace tapir::pipeline {

struct Incomplete {
  std::string stage;
  std::string role;        // who left rows without an answer
  const RoleModel* model;  // of the role; nullptr: a local student
  const llm::Budget& budget;
  std::filesystem::path folder;  // of the run store
  bool stopped = false;          // by the user
};

// Throws Error{interrupted}, {waiting}, {budget} or {endpoint}.
[[noreturn]] void throw_incomplete(const Incomplete& why);

}  // namespace tapir::pipeline
