// How far two tensors are apart.
#pragma once

#include <cmath>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "student/parameters.h"

namespace tapir::testing {

// Norm of the difference over the norm.
inline double relative_difference(std::span<const float> found, std::span<const float> expected) {
  EXPECT_EQ(found.size(), expected.size());
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
    difference += std::pow(static_cast<double>(found[i]) - static_cast<double>(expected[i]), 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  EXPECT_GT(norm, 0);
  return std::sqrt(difference / norm);
}

// A parameter's share of values that are laid out like the parameters.
inline std::span<const float> share_of(const student::Parameter& parameter,
                                       std::span<const float> values) {
  return values.subspan(static_cast<std::size_t>(parameter.offset),
                        static_cast<std::size_t>(parameter.size));
}

}  // namespace tapir::testing
