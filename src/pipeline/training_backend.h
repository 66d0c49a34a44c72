// train.backend: who trains the students.
#pragma once

#include <filesystem>
#include <memory>

#include "pipeline/recipe.h"
#include "student/student.h"

namespace tapir::pipeline {

// The engine as it is, or one whose trainings are jobs for a program of others. student:
// RunOptions::student. Error{usage}: that program is not installed where the recipe says, or is of
// an untested version; or a student is given to a run that trains its own.
std::shared_ptr<const student::StudentEngine> with_training_backend(
    const Recipe& recipe, const std::filesystem::path& student,
    std::shared_ptr<const student::StudentEngine> engine);

}  // namespace tapir::pipeline
