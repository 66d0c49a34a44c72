// Supervised fine-tuning: the loop, its checkpoints and its files. What computes is a Learner.
#pragma once

#include <stop_token>

#include "base/progress.h"
#include "student/prepared_job.h"
#include "student/student.h"
#include "student/torch_device.h"

namespace tapir::student {

// As StudentEngine::train(). version: what is recorded of this machine and device; a checkpoint
// made elsewhere is refused unless job.io.allow_other_machine.
TrainResult train(const TrainJob& job, const std::string& version, ProgressSink& progress,
                  std::stop_token stop, const Device& device = {});

}  // namespace tapir::student
