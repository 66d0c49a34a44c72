// student.generation: who computes the students' answers.
#pragma once

#include <filesystem>
#include <memory>

#include "base/progress.h"
#include "pipeline/recipe.h"
#include "student/student.h"

namespace tapir::pipeline {

// The engine as it is, or, with backend: command, one whose students answer through servers of
// others; their logs go to <run_dir>/logs. progress outlives it.
std::shared_ptr<const student::StudentEngine> with_generation_backend(
    const Recipe& recipe, const std::filesystem::path& run_dir,
    std::shared_ptr<const student::StudentEngine> engine, ProgressSink& progress);

}  // namespace tapir::pipeline
