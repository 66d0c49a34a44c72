#include "student/qk_norm.h"

#include <algorithm>

namespace tapir::student {

void normalise_heads(const Kernels& kernels, const QkNorm& n) {
  const long query = static_cast<long>(n.heads) * n.head_dim;
  const long width = query + static_cast<long>(n.kv_heads) * n.head_dim;
  for (long row = 0; row < n.rows; ++row) {
    float* qk = n.qkv + row * n.stride;
    float* kept = n.unnormed + row * width;
    float* inverse = n.inverse_rms + row * (n.heads + n.kv_heads);
    std::copy_n(qk, width, kept);
    kernels.rms_norm({n.heads, n.head_dim, n.epsilon, kept, n.q_norm, qk, inverse});
    kernels.rms_norm(
        {n.kv_heads, n.head_dim, n.epsilon, kept + query, n.k_norm, qk + query, inverse + n.heads});
  }
}

void normalise_heads_backward(const Kernels& kernels, const QkNormBackward& b) {
  const QkNorm& n = b.forward;
  const long query = static_cast<long>(n.heads) * n.head_dim;
  const long width = query + static_cast<long>(n.kv_heads) * n.head_dim;
  for (long row = 0; row < n.rows; ++row) {
    const float* x = n.unnormed + row * width;
    const float* inverse = n.inverse_rms + row * (n.heads + n.kv_heads);
    float* dx = b.dqkv + row * n.stride;
    std::copy_n(dx, width, b.scratch);
    std::fill_n(dx, width, 0.0F);
    kernels.rms_norm_backward(
        {n.heads, n.head_dim, x, n.q_norm, inverse, b.scratch, dx, b.dq_norm});
    kernels.rms_norm_backward({n.kv_heads, n.head_dim, x + query, n.k_norm, inverse + n.heads,
                               b.scratch + query, dx + query, b.dk_norm});
  }
}

}  // namespace tapir::student
