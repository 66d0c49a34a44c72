#include "pipeline/training_backend.h"

#include <utility>

#include "backends/training_jobs.h"
#include "base/error.h"
#include "base/gpus.h"
#include "pipeline/timeline.h"

namespace tapir::pipeline {
namespace {

// A job that is started elsewhere finds its GPUs there; one that is started here, where there are
// any.
bool trains_on_cpu(const Recipe& recipe) {
  const std::string& device = recipe.student.device;
  if (device != "auto") return device == "cpu";
  return recipe.train.launch.empty() && !std::filesystem::exists("/dev/nvidiactl");
}

}  // namespace

std::shared_ptr<const student::StudentEngine> with_training_backend(
    const Recipe& recipe, const std::filesystem::path& student,
    std::shared_ptr<const student::StudentEngine> engine) {
  const Recipe::TrainPart& t = recipe.train;
  if (!student.empty() && t.backend != "none") {
    throw Error(ErrorKind::usage, "--student is given, but train.backend is " + t.backend,
                "a run that trains its students takes none: set train.backend: none");
  }
  if (t.backend == "native") return engine;
  backends::TrainingOptions options;
  options.backend = t.backend;
  options.python = t.python;
  options.launch = t.launch;
  options.processes = static_cast<int>(t.processes);
  options.sharding = t.sharding;
  options.use_cpu = trains_on_cpu(recipe);
  const auto& gpus = gpus_or_all(recipe, recipe.resources.train.gpus);
  if (!gpus.empty() && !options.use_cpu && t.launch.empty())
    options.visible_gpus = visible_gpus(gpus);
  options.max_restarts = static_cast<int>(t.max_restarts);
  options.student = student;
  options.adapters = t.finetuning_type == "lora";
  return backends::hand_over_training(std::move(engine), std::move(options));
}

}  // namespace tapir::pipeline
