// The arithmetic of training and scoring on the CPU, in fp32: matrix products and the fused steps
// between them. Written once (kernels_impl.h), compiled for several instruction sets, chosen when
// the program starts. Results depend on the inputs and the chosen set only. Matrices are row-major;
// sizes are elements. No torch here.
#pragma once

#include <cstdint>

namespace tapir::student {

// C[m, n] = A[m, k] B[k, n], or += . Element (i, j) of A is a[i * a_row + j * a_column], of B
// likewise; of each, one stride is 1. C is row-major. Transposed operands cost nothing extra.
struct MatrixProduct {
  long m, n, k;
  const float* a;
  long a_row, a_column;
  const float* b;
  long b_row, b_column;
  float* c;
  long c_row;
  bool accumulate;
};

// y = x / rms(x) * weight, row by row.
struct RmsNorm {
  long rows, width;
  float epsilon;
  const float* x;       // [rows, width]
  const float* weight;  // [width]
  float* y;             // [rows, width]
  float* inverse_rms;   // [rows]
};
struct RmsNormBackward {
  long rows, width;
  const float* x;
  const float* weight;
  const float* inverse_rms;
  const float* dy;  // [rows, width]
  float* dx;        // [rows, width], added to
  float* dweight;   // [width], added to
};

// Rotates pairs (i, i + head_dim/2) of each head by the row's position; backward: by the negative
// angle. In place.
struct Rotary {
  long rows, stride;  // of x
  int heads, head_dim;
  const std::int32_t* positions;  // [rows]
  const float* cosines;           // [positions, head_dim / 2]
  const float* sines;
  bool backward;
  float* x;  // the first head of the first row
};

// Causal attention of one sequence, over all positions or a sliding window. qkv: rows of [heads |
// kv heads | kv heads] x head_dim, rotated.
struct Attention {
  long length;
  int heads, kv_heads, head_dim;
  float scale;         // of the scores, 1 / sqrt(head_dim)
  const float* qkv;    // [length, (heads + 2 kv heads) * head_dim]
  float* out;          // [length, heads * head_dim]
  float* log_sum_exp;  // [length, heads]
  float* scratch;      // attention_scratch() floats, 64-byte aligned
  long window = 0;     // a token sees so many positions, its own included; 0: all before it
  int kv_first = 0;    // kv heads to be done (forward), with the heads that share them
  int kv_last = 0;     // 0: all
};
struct AttentionBackward {
  Attention forward;  // out and log_sum_exp as the forward pass left them
  const float* dout;  // as out
  float* dqkv;        // as qkv; overwritten
};

// y = silu(gate) * up. gate_up: rows of [gate | up].
struct SwiGlu {
  long rows, width;
  const float* gate_up;  // [rows, 2 * width]
  float* y;              // [rows, width]
};
struct SwiGluBackward {
  long rows, width;
  const float* gate_up;
  const float* dy;  // [rows, width]
  float* dgate_up;  // [rows, 2 * width], overwritten
};

// logprobs[i] = log softmax(logits[i])[targets[i]]. With a gradient_scale other than 0 the logits
// become the gradient of gradient_scale * sum(-logprobs).
struct CrossEntropy {
  long rows, vocab;
  float gradient_scale;
  const std::int32_t* targets;  // [rows]
  float* logits;                // [rows, vocab]
  float* logprobs;              // [rows]
};

// AdamW as torch has it (decoupled weight decay). The gradient is multiplied by gradient_scale
// first.
struct AdamW {
  long size;
  float learning_rate, weight_decay, beta1, beta2, epsilon;
  float correction1, correction2;  // 1 - beta^step
  float gradient_scale;
  const float* gradient;
  float* parameters;
  float* m;
  float* v;
};

struct Kernels {
  const char* name;  // "avx512", "avx2", "generic"
  void (*multiply)(const MatrixProduct&);
  void (*rms_norm)(const RmsNorm&);
  void (*rms_norm_backward)(const RmsNormBackward&);
  void (*rotary)(const Rotary&);
  void (*attention)(const Attention&);
  void (*attention_backward)(const AttentionBackward&);
  void (*swiglu)(const SwiGlu&);
  void (*swiglu_backward)(const SwiGluBackward&);
  void (*cross_entropy)(const CrossEntropy&);
  void (*add)(float* y, const float* x, long size);  // y += x
  double (*sum_of_squares)(const float* x, long size);
  void (*adamw)(const AdamW&);
};

// Floats of scratch that attention and its backward pass need for sequences up to `length`.
long attention_scratch(long length, int head_dim);

// The best set that this CPU has. $TAPIR_KERNELS (avx512, avx2, generic) chooses another one that
// it has: for tests.
const Kernels& kernels();

// Every set that was compiled in and that this CPU has; the best first.
struct KernelSets {
  const Kernels* sets[3];
  int count;
};
KernelSets available_kernels();

}  // namespace tapir::student
