// train.backend: trl | llamafactory | none. Students are trained by programs of others, in folders
// that stand for themselves; whatever else is asked of them is done by the engine inside.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/training_backend.h"
#include "student/student.h"

namespace tapir::backends {

// Error{usage}: an unknown or missing slot in the command line that starts jobs.
void check_launch_command(const std::string& command, const std::string& where);

// train(): writes <output_dir>.job with the rows, the steps and the program's own files, starts it,
// follows it, and takes the student back when it has been found sound (returned_student.h,
// StudentEngine::take_over()). A job that was killed, or whose tapir was, goes on from its own
// checkpoints; one that finished is not trained again. What a job leaves behind is kept but for
// weights and checkpoints.
// Error{usage}: the program cannot do what is asked; Error{endpoint} with the log's last lines: the
// job failed; Error{data}: it ended without a student, or with one that is not sound;
// Error{waiting}, with backend none: what to train, and how to go on. Errors of
// StudentEngine::train() otherwise.
std::shared_ptr<const student::StudentEngine> hand_over_training(
    std::shared_ptr<const student::StudentEngine> engine, TrainingOptions options);

}  // namespace tapir::backends
