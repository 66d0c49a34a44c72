#include "student/decode_kernels.h"

#include <string_view>

#include "base/error.h"
#include "student/bf16_kernels.h"

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

const DecodeKernels* bf16_decode_kernels() {
#if defined(__x86_64__)
  if (bf16_kernels() == nullptr) return nullptr;
  static const DecodeKernels made = [] {
    const Bf16Kernels& products = *bf16_kernels();
    DecodeKernels set = avx512::decode_table;
    set.packed_size = products.packed_size;
    set.pack = products.pack;
    set.unpack_row = products.unpack_row;
    set.multiply_packed = products.multiply_packed;
    set.cached_keys = products.cached_keys;
    set.cached_values = products.cached_values;
    set.cache_token = products.cache_token;
    set.attention = products.attention;
    set.bf16 = true;
    return set;
  }();
  return &made;
#else
  return nullptr;
#endif
}

}  // namespace tapir::student
