// Where a student computes: on the CPU by own kernels, or on a device by torch. No torch here.
#pragma once

#include <string>

#include "student/student.h"  // describe_gpus()

namespace tapir::student {

struct Device {
  // "cpu": own kernels, the reference. Else ATen computes: "cuda:<n>", or "torch-cpu" (for tests of
  // that path on machines without a GPU).
  std::string name = "cpu";

  bool own_kernels() const { return name == "cpu"; }
  // As at::Device writes it. REQUIRES: !own_kernels().
  std::string torch_name() const { return name == "torch-cpu" ? "cpu" : name; }
  bool operator==(const Device&) const = default;
};

// wanted: auto (cuda when it can be used, else cpu) | cpu | cuda | cuda:<n> | torch-cpu.
// Error{usage} for anything else; for a cuda that cannot be used, with what is missing. The first
// call that asks for a GPU loads torch's CUDA library into the process.
Device find_device(const std::string& wanted);

// As its driver names it; "CPU" for torch-cpu. Empty when the driver does not say.
std::string device_model(const Device& device);

}  // namespace tapir::student
