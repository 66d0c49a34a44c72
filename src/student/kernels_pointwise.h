// Part of kernels_impl.h: compiled once per instruction set.
// What works on rows or elements: norm, rotary positions, activation, loss, optimizer.
#pragma once

#include "student/kernels_vector.h"

namespace tapir::student::TAPIR_KERNEL_SET {
namespace {

void rms_norm(const RmsNorm& n) {
  for (long row = 0; row < n.rows; ++row) {
    const float* x = n.x + row * n.width;
    float* y = n.y + row * n.width;
    Vector squares{};
    for_vectors(n.width, [&](long i, long count) {
      const Vector value = load_any(x + i, count);
      squares += value * value;
    });
    const float inverse =
        1.0F / __builtin_sqrtf(sum(squares) / static_cast<float>(n.width) + n.epsilon);
    n.inverse_rms[row] = inverse;
    for_vectors(n.width, [&](long i, long count) {
      store_any(y + i, load_any(x + i, count) * inverse * load_any(n.weight + i, count), count);
    });
  }
}

// With u = x * inverse: dx = inverse * (w dy - u * mean(w dy u)), dw += dy u.
void rms_norm_backward(const RmsNormBackward& n) {
  for (long row = 0; row < n.rows; ++row) {
    const float* x = n.x + row * n.width;
    const float* dy = n.dy + row * n.width;
    float* dx = n.dx + row * n.width;
    const float inverse = n.inverse_rms[row];
    Vector dots{};
    for_vectors(n.width, [&](long i, long count) {
      const Vector u = load_any(x + i, count) * inverse;
      const Vector d = load_any(dy + i, count);
      dots += d * load_any(n.weight + i, count) * u;
      store_any(n.dweight + i, load_any(n.dweight + i, count) + d * u, count);
    });
    const float mean = sum(dots) / static_cast<float>(n.width);
    for_vectors(n.width, [&](long i, long count) {
      const Vector u = load_any(x + i, count) * inverse;
      const Vector g = load_any(dy + i, count) * load_any(n.weight + i, count) - u * mean;
      store_any(dx + i, load_any(dx + i, count) + g * inverse, count);
    });
  }
}

void rotary(const Rotary& r) {
  const long half = r.head_dim / 2;
  for (long row = 0; row < r.rows; ++row) {
    const float* cosines = r.cosines + r.positions[row] * half;
    const float* sines = r.sines + r.positions[row] * half;
    for (int head = 0; head < r.heads; ++head) {
      float* x = r.x + row * r.stride + static_cast<long>(head) * r.head_dim;
      for (long i = 0; i < half; ++i) {
        const float s = r.backward ? -sines[i] : sines[i];
        const float first = x[i];
        const float second = x[i + half];
        x[i] = first * cosines[i] - second * s;
        x[i + half] = second * cosines[i] + first * s;
      }
    }
  }
}

inline Vector sigmoid(Vector x) { return 1.0F / (1.0F + exponential(-x)); }

void swiglu(const SwiGlu& s) {
  for (long row = 0; row < s.rows; ++row) {
    const float* gate = s.gate_up + row * 2 * s.width;
    const float* up = gate + s.width;
    float* y = s.y + row * s.width;
    for_vectors(s.width, [&](long i, long count) {
      const Vector g = load_any(gate + i, count);
      store_any(y + i, g * sigmoid(g) * load_any(up + i, count), count);
    });
  }
}

void swiglu_backward(const SwiGluBackward& s) {
  for (long row = 0; row < s.rows; ++row) {
    const float* gate = s.gate_up + row * 2 * s.width;
    const float* dy = s.dy + row * s.width;
    float* dgate = s.dgate_up + row * 2 * s.width;
    for_vectors(s.width, [&](long i, long count) {
      const Vector g = load_any(gate + i, count);
      const Vector d = load_any(dy + i, count);
      const Vector sig = sigmoid(g);
      store_any(dgate + s.width + i, d * g * sig, count);
      store_any(dgate + i,
                d * load_any(gate + s.width + i, count) * sig * (1.0F + g * (1.0F - sig)), count);
    });
  }
}

void cross_entropy(const CrossEntropy& c) {
  for (long row = 0; row < c.rows; ++row) {
    float* logits = c.logits + row * c.vocab;
    const float target = logits[c.targets[row]];
    Vector best = broadcast(logits[0]);
    for_vectors(c.vocab, [&](long i, long count) {
      const Vector value = load_any(logits + i, count, logits[0]);
      best = value > best ? value : best;
    });
    const float top = largest(best);
    Vector total{};
    for_vectors(c.vocab, [&](long i, long count) {
      total += exponential(load_any(logits + i, count, -1e30F) - top);
    });
    const float all = sum(total);
    c.logprobs[row] = target - top - __builtin_logf(all);
    if (c.gradient_scale == 0) continue;
    const float factor = c.gradient_scale / all;
    for_vectors(c.vocab, [&](long i, long count) {
      store_any(logits + i, exponential(load_any(logits + i, count) - top) * factor, count);
    });
    logits[c.targets[row]] -= c.gradient_scale;
  }
}

void add(float* y, const float* x, long size) {
  for (long i = 0; i < size; ++i) y[i] += x[i];
}

double sum_of_squares(const float* x, long size) {
  using Doubles = double __attribute__((vector_size(64)));
  Doubles sums{};
  long i = 0;
  for (; i + 8 <= size; i += 8) {
    for (int j = 0; j < 8; ++j)
      sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  }
  double total = 0;
  for (int j = 0; j < 8; ++j) total += sums[j];
  for (; i < size; ++i) total += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return total;
}

void adamw(const AdamW& o) {
  const float keep = 1.0F - o.learning_rate * o.weight_decay;
  const float step = o.learning_rate / o.correction1;
  const float root = __builtin_sqrtf(o.correction2);
  for (long i = 0; i < o.size; ++i) {
    const float g = o.gradient[i] * o.gradient_scale;
    const float m = o.m[i] + (1.0F - o.beta1) * (g - o.m[i]);
    const float v = o.beta2 * o.v[i] + (1.0F - o.beta2) * g * g;
    o.m[i] = m;
    o.v[i] = v;
    o.parameters[i] = o.parameters[i] * keep - step * m / (__builtin_sqrtf(v) / root + o.epsilon);
  }
}

}  // namespace
}  // namespace tapir::student::TAPIR_KERNEL_SET
