#include "student/kernels.h"

#include <cstdlib>
#include <string>

#include "base/error.h"
#include "student/bf16_kernels.h"

namespace tapir::student {

#if defined(__x86_64__)
namespace avx512_bf16 {
extern const Bf16Kernels table;
}
namespace avx512 {
extern const Kernels table;
}
namespace avx2 {
extern const Kernels table;
}
#endif
namespace generic {
extern const Kernels table;
}

namespace {

#if defined(__x86_64__)
bool has_avx2() {
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
         __builtin_cpu_supports("bmi2") != 0;
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") != 0 &&
         __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512cd") != 0;
}
#endif

const Kernels& choose() {
  const KernelSets available = available_kernels();
  const char* wanted = std::getenv("TAPIR_KERNELS");
  if (wanted == nullptr || *wanted == '\0') return *available.sets[0];
  for (int i = 0; i < available.count; ++i) {
    if (wanted == std::string(available.sets[i]->name)) return *available.sets[i];
  }
  throw Error(ErrorKind::usage,
              "TAPIR_KERNELS: this CPU has no kernels named \"" + std::string(wanted) + "\"",
              "use avx512, avx2 or generic, or unset it");
}

}  // namespace

KernelSets available_kernels() {
  KernelSets available{{}, 0};
#if defined(__x86_64__)
  if (has_avx512()) available.sets[available.count++] = &avx512::table;
  if (has_avx2()) available.sets[available.count++] = &avx2::table;
#endif
  available.sets[available.count++] = &generic::table;
  return available;
}

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

const Bf16Kernels* bf16_kernels() {
#if defined(__x86_64__)
  if (has_avx512() && __builtin_cpu_supports("avx512bf16") != 0) return &avx512_bf16::table;
#endif
  return nullptr;
}

long attention_scratch(long length, int head_dim) {
  // Rounded for the widest set: 32 columns a panel, 12 rows a block.
  const long padded_length = (length + 31) / 32 * 32;
  const long padded_dim = (head_dim + 15) / 16 * 16;
  return 6 * padded_length * padded_dim + 2 * 12 * padded_length + 2 * 12 * padded_dim;
}

}  // namespace tapir::student
