// Where a student computes: on the CPU by own kernels, or on a device by torch. No torch here.
#pragma once

#include <cstdint>
#include <string>

#include "student/student.h"  // describe_gpus()

namespace tapir::student {

struct Device {
  // "cpu": own kernels, the reference. Else ATen computes: "cuda:<n>", or "torch-cpu" (for tests of
  // that path on machines without a GPU).
  std::string name = "cpu";
  // Whether own kernels answer with products on the CPU's bf16 units, as DecodeWeights says.
  bool bf16 = false;

  bool own_kernels() const { return name == "cpu"; }
  // Without the number: GPUs of one model give the same bits.
  std::string kind() const { return name.substr(0, name.find(':')); }
  // As at::Device writes it. REQUIRES: !own_kernels().
  std::string torch_name() const { return name == "torch-cpu" ? "cpu" : name; }
  bool operator==(const Device&) const = default;
};

// wanted: auto (cuda when it can be used, else cpu) | cpu | cuda | cuda:<n> | torch-cpu; dtype: of
// the products when a student answers, auto | float32 | bfloat16, as of make_student_engine().
// Error{usage} for anything else; for what cannot be used here, with what is missing. The first
// call that asks for a GPU loads torch's CUDA library into the process.
Device find_device(const std::string& wanted, const std::string& dtype = "auto");

struct DeviceMemory {
  std::int64_t used = 0;   // now: of a GPU by everybody, else by this process
  std::int64_t limit = 0;  // what may be in use; 0: not known
};
// Of the GPU, or of this process.
DeviceMemory device_memory(const Device& device);

// Gives back what torch keeps of GPUs in reserve, so that other programs may have it. Does nothing
// where no GPU was used.
void release_gpu_reserve();

// Bytes of this process: what torch holds of the GPU, else resident memory.
struct ProcessMemory {
  std::int64_t now = 0;
  std::int64_t peak = 0;  // of a GPU: of its tensors
};
// REQUIRES: of a GPU that something has been computed on.
ProcessMemory process_memory(const Device& device);

// What tells the bits of one device from those of another: "cuda: NVIDIA H200", "torch-cpu". The
// driver need not name the GPU.
std::string describe_device(const Device& device);

}  // namespace tapir::student
