// Trainings that another program does: what it is told, and how its student is taken over. No torch
// here.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "student/student.h"
#include "student/torch_device.h"

namespace tapir::student {

// As StudentEngine::steps().
TrainSteps train_steps(const TrainJob& job, const std::filesystem::path& start,
                       const Device& device);

// As StudentEngine::take_over().
void take_over(const TrainJob& job, const TrainedElsewhere& trained,
               const std::function<void(const std::filesystem::path&)>& look, const Device& device);

}  // namespace tapir::student
