// Learning on a device of torch: gradients by autograd, fused AdamW over fp32 weights. No torch
// here.
#pragma once

#include <memory>

#include "student/learner.h"
#include "student/torch_device.h"

namespace tapir::student {

// Takes `state` over to the device; setup.passes.lanes are the CPU's. As long as it lives, torch
// computes by operators that give the same bits every time.
std::unique_ptr<Learner> make_torch_learner(const LearnerSetup& setup, const Device& device,
                                            TrainingState state);

}  // namespace tapir::student
