// What a recipe says about training, as the student's engine takes it.
#pragma once

#include <vector>

#include "pipeline/recipe.h"
#include "records/instruction.h"
#include "student/student.h"

namespace tapir::pipeline {

// All of `train`, and the chat format; not which student, rows, files, seed or schedule.
student::TrainJob training_job(const Recipe& recipe);

// What training the folder that the recipe starts from would see and take, on these rows; nothing
// is written. Errors as those of StudentEngine::preflight().
student::Preflight look_at_training(const Recipe& recipe, const student::StudentEngine& engine,
                                    std::vector<Example> examples);

}  // namespace tapir::pipeline
