#include "student/decode_kernels.h"

#include <string_view>

#include "base/error.h"

namespace tapir::student {

#if defined(__x86_64__)
namespace avx512 {
extern const DecodeKernels decode_table;
}
namespace avx2 {
extern const DecodeKernels decode_table;
}
#endif
namespace generic {
extern const DecodeKernels decode_table;
}

const DecodeKernels& decode_kernels(const Kernels& kernels) {
  const std::string_view name = kernels.name;
#if defined(__x86_64__)
  if (name == "avx512") return avx512::decode_table;
  if (name == "avx2") return avx2::decode_table;
#endif
  check(name == "generic", "every set of kernels has decoding kernels");
  return generic::decode_table;
}

}  // namespace tapir::student
