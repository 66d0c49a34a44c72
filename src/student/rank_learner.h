// One of several processes that train together. No torch here.
#pragma once

#include <memory>

#include "student/collective.h"
#include "student/learner.h"

namespace tapir::student {

// On the CPU by own kernels. Every rank is handed the same rows, takes its fair share of them, and
// says what one process would: losses, tokens and gradient norm are the whole step's, and the
// gradient is divided by the whole step's supervised tokens. Gradients are summed in the order of
// the ranks, so a step's bits depend on their number but not on their timing. Of AdamW's moments a
// rank keeps its shard (ZeRO stage 1). All ranks call all functions; out of memory on one is out of
// memory on all. state: whole, the same on every rank.
std::unique_ptr<Learner> make_rank_learner(const LearnerSetup& setup, TrainingState state,
                                           std::shared_ptr<Collective> ranks);

}  // namespace tapir::student
