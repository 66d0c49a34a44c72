// The body of the kernels: included once per instruction set by kernels_<set>.cpp, which defines
// TAPIR_KERNEL_SET. Nothing in here or in its parts may use a library template: its code would be
// compiled for this instruction set and could be picked by the linker for the whole program.
#pragma once

#include "student/kernels.h"
#include "student/kernels_attention.h"
#include "student/kernels_pointwise.h"
#include "student/kernels_product.h"

namespace tapir::student::TAPIR_KERNEL_SET {

#define TAPIR_TEXT_OF(name) #name
#define TAPIR_TEXT(name) TAPIR_TEXT_OF(name)
extern const Kernels table;
const Kernels table = {TAPIR_TEXT(TAPIR_KERNEL_SET),
                       multiply,
                       rms_norm,
                       rms_norm_backward,
                       rotary,
                       attention,
                       attention_backward,
                       swiglu,
                       swiglu_backward,
                       cross_entropy,
                       add,
                       sum_of_squares,
                       adamw};

}  // namespace tapir::student::TAPIR_KERNEL_SET
