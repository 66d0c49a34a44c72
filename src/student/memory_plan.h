// What a training will take of the memory. No torch here.
#pragma once

#include <cstdint>
#include <vector>

#include "student/batching.h"
#include "student/decoder.h"
#include "student/student.h"
#include "student/torch_device.h"
#include "student/trained_weights.h"

namespace tapir::student {

// Tokens of a pass as asked for, or as they are chosen where there is room.
std::int64_t wanted_micro_batch_tokens(const TrainIo& io, const Device& device);

// The largest pass of each lane, over the steps of a training on `rows` (of each its tokens and
// targets; `longest` is not read).
std::vector<PassSize> largest_passes(const std::vector<PassSize>& rows, const TrainOptions& options,
                                     std::int64_t micro_batch_tokens);

// The need of a training on `rows`, of the device's memory where it computes on one. Passes are
// halved until they fit into the limit, or hold no more than the longest row.
MemoryPlan fitting_plan(const TrainedWeights& weights, const TrainJob& job,
                        const std::vector<const EncodedRow*>& rows, const Device& device);

}  // namespace tapir::student
