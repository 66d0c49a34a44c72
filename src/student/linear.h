// A linear layer y = x W^T + b over the array of parameters, forward and backward. No torch here.
#pragma once

#include "student/kernels.h"
#include "student/parameters.h"

namespace tapir::student {

// y [rows, out] = x [rows, in] W^T + b; added to y when accumulate.
struct LinearForward {
  long rows;
  const float* x;
  float* y;
  bool accumulate;
};
void linear_forward(const Kernels& kernels, const Linear& layer, const float* parameters,
                    const LinearForward& pass);

// dx [rows, in] = dy [rows, out] W (overwritten; null: not wanted), dW += dy^T x, db += sum of dy's
// rows. `gradients` is laid out like the parameters; null: the layer is
// frozen.
struct LinearBackward {
  long rows;
  const float* x;
  const float* dy;
  float* dx;
};
void linear_backward(const Kernels& kernels, const Linear& layer, const float* parameters,
                     const LinearBackward& pass, float* gradients);

}  // namespace tapir::student
