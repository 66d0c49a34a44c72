// What a training will take of the memory, and what the system lets it take. No torch here.
#pragma once

#include <cstdint>
#include <vector>

#include "student/decoder.h"
#include "student/student.h"
#include "student/trained_weights.h"

namespace tapir::student {

// Bytes that this process may take at most: the caps of its cgroups, of RLIMIT_AS (less what is
// mapped, not used), and the machine's memory. The same at every call, however much others use.
// 0: nothing says.
std::int64_t memory_cap();

// The largest pass of each lane, over the steps of a training on `rows` (of each its tokens and
// targets; `longest` is not read).
std::vector<PassSize> largest_passes(const std::vector<PassSize>& rows, const TrainOptions& options,
                                     std::int64_t micro_batch_tokens);

// The need with these passes; MemoryPlan::process is what the process holds now.
MemoryPlan plan_memory(const TrainedWeights& weights, const TrainJob& job,
                       const std::vector<PassSize>& passes, std::int64_t micro_batch_tokens);

}  // namespace tapir::student
