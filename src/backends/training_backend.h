// A program of others that trains students: one row of training_backends(), one file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "student/student.h"

namespace tapir::backends {

struct TrainingOptions {
  std::string backend;  // a name of training_backends(), or "none"
  // The interpreter of the environment that the backend is installed in.
  std::string python = "python3";
  // For /bin/sh, with slots {job} (the folder), {name} and {processes}: starts launch.sh elsewhere,
  // and returns when it has ended. Empty: launch.sh is started here.
  std::string launch;
  int processes = 1;              // that share the rows of a step
  std::string sharding = "none";  // none | fsdp | zero3
  bool use_cpu = true;
  std::string visible_gpus;  // CUDA_VISIBLE_DEVICES of jobs; empty: as this process has it
  bool adapters = false;     // what is trained: its packages are needed too
  int max_restarts = 1;      // of a job that ended in the middle, having got further
  // none: a student that was trained elsewhere, for the first training that is not finished; empty:
  // none is there yet.
  std::filesystem::path student;
};

// A job to be written.
struct JobFolder {
  const std::filesystem::path& folder;  // there, with data.jsonl, steps.json and job.json
  const student::TrainJob& job;
  const student::TrainSteps& steps;
  const TrainingOptions& options;
};

// A package of the backend's environment, and the versions that are tested: those that begin so.
struct Requirement {
  std::string package;
  std::string version;  // "0.24.0", as it stands in requirements.txt
  std::string tested;   // "0.24."
};

struct TrainingBackend {
  std::string name;
  // Of a job with or without an adapter.
  std::vector<Requirement> (*requirements)(bool adapter);
  // Error{usage} naming the key that this backend cannot do.
  void (*check)(const student::TrainJob& job, const TrainingOptions& options);
  // Beside data.jsonl, steps.json and job.json: what the program itself reads, and launch.sh.
  void (*write)(const JobFolder& job);
  // In the job's folder: one object a line with the step (`step` or `current_steps`) and its loss.
  std::string progress_file;
  // Ends after the step in work, with a checkpoint, when there is a file named `stop`.
  bool heeds_stop_file = false;
};

extern const TrainingBackend kTrl;
extern const TrainingBackend kLlamaFactory;

// Error{usage} with the names there are.
const TrainingBackend& training_backend(const std::string& name);

}  // namespace tapir::backends
