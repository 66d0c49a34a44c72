// Whether a student that came back from a training job has learnt what it was sent for.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "backends/job_files.h"
#include "records/instruction.h"
#include "student/student.h"

namespace tapir::backends {

// Error{data} naming both figures: the job trained on other steps, rows or tokens than were asked
// for, or on those of another job.
void check_counts(const JobResult& result, const student::TrainSteps& steps,
                  const std::filesystem::path& folder);

// How a student answers some rows of its training.
struct Probe {
  double loss = 0;  // mean over supervised tokens
  double end = 0;   // mean log-probability of the tokens that end the answers
};

// On at most 64 examples, evenly over the job.
Probe probe(const student::StudentEngine& engine, const std::filesystem::path& folder,
            std::span<const Example> examples);

// Error{data} naming the folder: it cannot be evaluated (not finite), its loss rose, or its answers
// end less often than before the training, and less often than not. `folder`: in messages.
void check_probe(const Probe& before, const Probe& after, const std::filesystem::path& folder);

// The mean loss over the supervised tokens of the rows held out by val_size.
double validation_loss(const student::StudentEngine& engine, const std::filesystem::path& folder,
                       const student::TrainJob& job, const student::TrainSteps& steps);

}  // namespace tapir::backends
