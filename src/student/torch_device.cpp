#include "student/torch_device.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include <dlfcn.h>

#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>

#include "base/error.h"
#include "base/strings.h"
#include "student/bf16_kernels.h"
#include "student/host_memory.h"

namespace tapir::student {
namespace {

struct Cuda {
  int devices = 0;
  std::string problem;  // why there is none
};

std::string loader_message() {
  const char* message = dlerror();
  return message != nullptr ? message : "unknown error";
}

// The folder of the torch library that this program runs with.
std::filesystem::path torch_folder() {
  Dl_info info{};
  const auto* inside = reinterpret_cast<const void*>(&at::get_num_threads);
  if (dladdr(inside, &info) == 0 || info.dli_fname == nullptr) return {};
  return std::filesystem::path(info.dli_fname).parent_path();
}

std::atomic<bool> cuda_is_loaded = false;

// libtorch_cuda registers its operators with the torch that is loaded already. It is not linked:
// it brings gigabytes of libraries that a machine without a GPU need not have.
Cuda load_cuda() {
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return {0, "no NVIDIA driver (" + loader_message() + ")"};
  }
  const std::filesystem::path library = torch_folder() / "libtorch_cuda.so";
  if (!std::filesystem::exists(library)) {
    return {0, "the torch in use has no CUDA: " + library.string() + " is missing"};
  }
  // Before the first cuBLAS handle: sums in one order, so that a resumed training has the same
  // bits.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return {0, "torch's CUDA libraries are not complete (" + loader_message() + ")"};
  }
  cuda_is_loaded = true;
  const int devices = static_cast<unsigned char>(at::accelerator::deviceCount());
  return devices > 0 ? Cuda{devices, ""} : Cuda{0, "the NVIDIA driver shows no usable GPU"};
}

const Cuda& cuda() {
  static const Cuda loaded = load_cuda();
  return loaded;
}

Device numbered(int index) { return {"cuda:" + std::to_string(index)}; }

[[noreturn]] void unusable(const std::string& wanted, const std::string& problem) {
  throw Error(ErrorKind::usage, "device " + wanted + ": " + problem,
              "install torch with all its dependencies and build with TAPIR_TORCH_ROOT "
              "(docs/gpu.md), or take --device cpu");
}

// "cuda:<n>"
Device parse_numbered(const std::string& wanted) {
  int index = -1;
  const char* end = wanted.data() + wanted.size();
  const auto parsed = std::from_chars(wanted.data() + std::string("cuda:").size(), end, index);
  if (parsed.ec != std::errc() || parsed.ptr != end || index < 0) {
    throw Error(ErrorKind::usage, "device: found " + wanted + ", expected cuda:0, cuda:1, ...");
  }
  if (cuda().devices == 0) unusable(wanted, cuda().problem);
  if (index >= cuda().devices) {
    throw Error(ErrorKind::usage, "device " + wanted + ": this machine has " +
                                      std::to_string(cuda().devices) + " GPUs, counted from 0");
  }
  return numbered(index);
}

// As the driver names them, in its order; empty where it does not say.
std::vector<std::string> gpu_models() {
  std::vector<std::filesystem::path> folders;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", ignored)) {
    folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  std::vector<std::string> models;
  for (const std::filesystem::path& folder : folders) {
    std::ifstream in(folder / "information");
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("Model:")) models.emplace_back(trim(line.substr(6)));
    }
  }
  return models;
}

Device find_place(const std::string& wanted) {
  if (wanted == "cpu" || wanted == "torch-cpu") return {wanted};
  if (wanted == "auto") return cuda().devices > 0 ? numbered(0) : Device{};
  if (wanted == "cuda") {
    if (cuda().devices == 0) unusable(wanted, cuda().problem);
    return numbered(0);
  }
  if (wanted.starts_with("cuda:")) return parse_numbered(wanted);
  throw Error(ErrorKind::usage,
              "device: found " + wanted + ", expected auto, cpu, cuda or cuda:<n>");
}

}  // namespace

Device find_device(const std::string& wanted, const std::string& dtype) {
  Device device = find_place(wanted);
  if (dtype == "auto") return device;
  if (dtype != "float32" && dtype != "bfloat16") {
    throw Error(ErrorKind::usage, "dtype: found " + dtype + ", expected auto, float32 or bfloat16");
  }
  if (!device.own_kernels()) {
    throw Error(ErrorKind::usage,
                "dtype " + dtype + ": " + device.name + " computes as the weights are stored",
                "leave --dtype out, or take --device cpu");
  }
  device.bf16 = dtype == "bfloat16";
  if (device.bf16 && bf16_kernels() == nullptr) {
    throw Error(ErrorKind::usage, "dtype bfloat16: this CPU has no bf16 units",
                "leave --dtype out: emulating them would be slower than float32");
  }
  return device;
}

DeviceMemory device_memory(const Device& device) {
  if (device.kind() != "cuda") return {resident_memory(), memory_cap()};
  at::accelerator::emptyCache();  // what torch keeps in reserve counts as free
  const auto [free, total] =
      at::accelerator::getMemoryInfo(at::Device(device.torch_name()).index());
  return {static_cast<std::int64_t>(total - free), static_cast<std::int64_t>(total)};
}

void release_gpu_reserve() {
  if (cuda_is_loaded && cuda().devices > 0) at::accelerator::emptyCache();
}

ProcessMemory process_memory(const Device& device) {
  if (device.kind() != "cuda") return {resident_memory(), peak_resident_memory()};
  constexpr auto kAll = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  const auto stats = at::accelerator::getDeviceStats(at::Device(device.torch_name()).index());
  return {stats.reserved_bytes[kAll].current, stats.allocated_bytes[kAll].peak};
}

std::string describe_device(const Device& device) {
  if (device.kind() != "cuda") return device.kind();
  const std::vector<std::string> models = gpu_models();
  const auto index = static_cast<std::size_t>(at::Device(device.torch_name()).index());
  return device.kind() + ": " + (index < models.size() ? models[index] : "");
}

std::string describe_gpus() {
  if (cuda().devices == 0) return "no GPU: " + cuda().problem;
  const std::string models = join(gpu_models(), ", ");
  return std::to_string(cuda().devices) + " usable" + (models.empty() ? "" : ": " + models);
}

}  // namespace tapir::student
