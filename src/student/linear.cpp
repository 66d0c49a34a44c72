#include "student/linear.h"

#include <algorithm>

namespace tapir::student {

void linear_forward(const Kernels& kernels, const Linear& layer, const float* parameters,
                    const LinearForward& pass) {
  const long in = layer.in;
  const long out = layer.out;
  if (layer.has_bias()) {
    const float* bias = parameters + layer.bias;
    for (long row = 0; row < pass.rows; ++row) {
      float* y = pass.y + row * out;
      if (pass.accumulate) {
        kernels.add(y, bias, out);
      } else {
        std::copy_n(bias, out, y);
      }
    }
  }
  kernels.multiply({pass.rows, out, in, pass.x, in, 1, parameters + layer.weight, 1, in, pass.y,
                    out, pass.accumulate || layer.has_bias()});
}

void linear_backward(const Kernels& kernels, const Linear& layer, const float* parameters,
                     const LinearBackward& pass, float* gradients) {
  const long in = layer.in;
  const long out = layer.out;
  if (gradients != nullptr) {
    kernels.multiply({out, in, pass.rows, pass.dy, 1, out, pass.x, in, 1, gradients + layer.weight,
                      in, /*accumulate=*/true});
    if (layer.has_bias()) {
      for (long row = 0; row < pass.rows; ++row) {
        kernels.add(gradients + layer.bias, pass.dy + row * out, out);
      }
    }
  }
  if (pass.dx == nullptr) return;
  kernels.multiply({pass.rows, in, out, pass.dy, out, 1, parameters + layer.weight, in, 1, pass.dx,
                    in, /*accumulate=*/false});
}

}  // namespace tapir::student
