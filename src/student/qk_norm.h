// Norms of queries and keys, head by head, before the rotation (Qwen3). No torch here.
#pragma once

#include "student/kernels.h"

namespace tapir::student {

// In place on rows of [heads | kv heads | ...] x head_dim.
struct QkNorm {
  long rows, stride;  // of qkv
  int heads, kv_heads, head_dim;
  float epsilon;
  const float* q_norm;  // [head_dim]
  const float* k_norm;  // [head_dim]
  float* qkv;           // [rows, stride]
  float* unnormed;      // [rows, (heads + kv heads) * head_dim]: what qkv held, for the way back
  float* inverse_rms;   // [rows, heads + kv heads]
};
void normalise_heads(const Kernels& kernels, const QkNorm& norm);

struct QkNormBackward {
  QkNorm forward;  // unnormed and inverse_rms as the forward pass left them
  float* dqkv;     // [rows, stride]: gradient of the normed heads; on return of the unnormed ones
  float* dq_norm;  // [head_dim], added to
  float* dk_norm;  // [head_dim], added to
  float* scratch;  // [(heads + kv heads) * head_dim]
};
void normalise_heads_backward(const Kernels& kernels, const QkNormBackward& norm);

}  // namespace tapir::student
