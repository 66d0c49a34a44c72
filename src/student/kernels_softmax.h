// Part of kernels_impl.h and decode_kernels_impl.h: compiled once per instruction set.
// The softmax of attention.
#pragma once

#include "student/kernels_vector.h"

namespace tapir::student::TAPIR_KERNEL_SET {
namespace {

constexpr float kMasked = -1e30F;  // a score that must not be seen

// log(sum(exp(scores))) = top + log(total).
struct ScoreSum {
  float top;
  float total;
};

// Scores become weights that add up to 1, masked ones exactly 0. Those behind the last one, up to a
// whole vector, are read and written too: masked.
inline ScoreSum softmax_row(float* scores, long length) {
  const long padded = round_up(length, kLanes);
  Vector best = load(scores);
  for (long i = kLanes; i < padded; i += kLanes) {
    const Vector value = load(scores + i);
    best = value > best ? value : best;
  }
  const float top = largest(best);
  Vector total{};
  for (long i = 0; i < padded; i += kLanes) {
    const Vector value = exponential(load(scores + i) - top);
    store(scores + i, value);
    total += value;
  }
  const float all = sum(total);
  const float inverse = 1.0F / all;
  for (long i = 0; i < padded; i += kLanes) store(scores + i, load(scores + i) * inverse);
  return {top, all};
}

// The same, where positions before the first and behind the length are masked.
inline void softmax_between(float* scores, long first, long length) {
  for (long i = 0; i < first; ++i) scores[i] = kMasked;
  for (long i = length; i < round_up(length, kLanes); ++i) scores[i] = kMasked;
  softmax_row(scores, length);
}

}  // namespace
}  // namespace tapir::student::TAPIR_KERNEL_SET
