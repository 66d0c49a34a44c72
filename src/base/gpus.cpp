#include "base/gpus.h"

#include <cstddef>
#include <cstdlib>

#include <dlfcn.h>

#include "base/strings.h"

namespace tapir {
namespace {

// As in cuda.h, which a machine without the toolkit does not have.
using CudaResult = int;
using CudaDevice = int;

template <typename Function>
Function* symbol(void* library, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(library, name));
}

std::vector<std::int64_t> ask_driver() {
  void* const library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) return {};
  auto* const init = symbol<CudaResult(unsigned)>(library, "cuInit");
  auto* const count = symbol<CudaResult(int*)>(library, "cuDeviceGetCount");
  auto* const get = symbol<CudaResult(CudaDevice*, int)>(library, "cuDeviceGet");
  auto* const size = symbol<CudaResult(std::size_t*, CudaDevice)>(library, "cuDeviceTotalMem_v2");
  if (init == nullptr || count == nullptr || get == nullptr || size == nullptr) return {};
  int devices = 0;
  if (init(0) != 0 || count(&devices) != 0) return {};
  std::vector<std::int64_t> memories;
  for (int i = 0; i < devices; ++i) {
    CudaDevice device = 0;
    std::size_t bytes = 0;
    if (get(&device, i) != 0 || size(&bytes, device) != 0) return {};
    memories.push_back(static_cast<std::int64_t>(bytes));
  }
  return memories;
}

}  // namespace

std::vector<std::int64_t> gpu_memories() {
  static const std::vector<std::int64_t> memories = ask_driver();
  return memories;
}

std::string visible_gpus(const std::vector<std::int64_t>& gpus,
                         const std::optional<std::string>& own) {
  std::vector<std::string> names;
  if (own) names = split(*own, ',');
  std::vector<std::string> visible;
  for (const std::int64_t gpu : gpus) {
    const auto index = static_cast<std::size_t>(gpu);
    visible.push_back(index < names.size() ? std::string(trim(names[index])) : std::to_string(gpu));
  }
  return join(visible, ",");
}

std::string visible_gpus(const std::vector<std::int64_t>& gpus) {
  const char* own = std::getenv("CUDA_VISIBLE_DEVICES");
  return visible_gpus(gpus, own == nullptr ? std::nullopt : std::optional<std::string>(own));
}

}  // namespace tapir
