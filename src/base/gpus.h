// The GPUs of this machine as CUDA counts them, asked of NVIDIA's driver: needs neither torch nor a
// context on a GPU, so that nothing of their memory is taken.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tapir {

// Bytes of each usable GPU, by CUDA's index (CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER count);
// empty where there is none, or no driver.
std::vector<std::int64_t> gpu_memories();

// CUDA_VISIBLE_DEVICES for a child that may use these of the GPUs that this process may use.
// `own`: the variable's value here; nothing: not set. REQUIRES: each index is one of
// gpu_memories().
std::string visible_gpus(const std::vector<std::int64_t>& gpus,
                         const std::optional<std::string>& own);
// The same with this process's own value.
std::string visible_gpus(const std::vector<std::int64_t>& gpus);

}  // namespace tapir
