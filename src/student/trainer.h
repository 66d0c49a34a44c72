// Supervised fine-tuning on the CPU: the loop, its checkpoints and its files.
#pragma once

#include <stop_token>

#include "base/progress.h"
#include "student/student.h"

namespace tapir::student {

// As StudentEngine::train(). version: what is recorded of this machine; a checkpoint made elsewhere
// is refused unless job.io.allow_other_machine.
TrainResult train(const TrainJob& job, const std::string& version, ProgressSink& progress,
                  std::stop_token stop);

Preflight preflight(const TrainJob& job);

}  // namespace tapir::student
