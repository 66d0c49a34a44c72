// The kernels for one instruction set; its compiler flags are in CMakeLists.txt.
#define TAPIR_KERNEL_SET generic
#include "student/decode_kernels_impl.h"
