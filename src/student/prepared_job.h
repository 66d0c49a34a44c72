// A training's rows and steps, before anything is computed. No torch here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "student/batching.h"
#include "student/job.h"
#include "student/student.h"
#include "student/torch_device.h"
#include "student/trained_weights.h"

namespace tapir::student {

struct PreparedJob {
  TrainedWeights weights;  // not read yet
  Words words;
  std::vector<EncodedRow> rows;  // in the order of the job's examples
  RowSplit split;
};

// Reads the configuration and encodes the rows, or finds them in the token cache. Errors of
// check_options(), TrainedWeights, load_words() and split_rows().
PreparedJob prepare(const TrainJob& job, const Device& device);
// Of several ranks rank 0 first: what it leaves in the token cache is read by the others.
PreparedJob prepare_in_turn(const TrainJob& job, const Device& device);

std::vector<const EncodedRow*> chosen(const std::vector<EncodedRow>& rows,
                                      const std::vector<std::size_t>& indices);

MemoryPlan plan_memory(const PreparedJob& prepared, const TrainJob& job, const Device& device);

// As StudentEngine::preflight().
Preflight preflight(const TrainJob& job, const Device& device = {});

// Steps of the whole training. Error{data} when rows have nothing to learn.
std::int64_t count_learning_steps(const PreparedJob& prepared, const TrainOptions& options);

// The result of this very job, when it has been finished before; what its checkpoints left is
// removed. digest: job_digest(). Of several ranks all ask.
std::optional<TrainResult> finished_training(const TrainJob& job, const std::string& digest);

}  // namespace tapir::student
