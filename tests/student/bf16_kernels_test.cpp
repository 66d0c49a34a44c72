// Products on bf16 units against a slow reference that rounds its operands the same way.
#include "student/bf16_kernels.h"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "products.h"

namespace tapir::student {
namespace {

// To the nearest bf16, ties to even.
float rounded(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7fffU + ((bits >> 16U) & 1U)) & 0xffff0000U);
}

class Bf16Products : public ::testing::Test {
 protected:
  void SetUp() override {
    if (bf16_kernels() == nullptr) GTEST_SKIP() << "this CPU has no bf16 units";
  }
};

TEST_F(Bf16Products, OfAllTranspositionsAndAwkwardSizes) {
  for (const testing::ProductShape& shape : testing::kProductShapes)
    testing::expect_products(shape, bf16_kernels()->multiply, rounded);
}

TEST_F(Bf16Products, AreTheSameBitsEachTimeAndForRowsAlone) {
  const testing::ProductShape s{30, 40, 70};
  const std::vector<float> a = testing::random_floats(s.m * s.k, "a");
  const std::vector<float> b = testing::random_floats(s.k * s.n, "b");
  std::vector<float> together(static_cast<std::size_t>(s.m * s.n));
  std::vector<float> apart(together.size());
  MatrixProduct p{s.m, s.n, s.k, a.data(), s.k, 1, b.data(), s.n, 1, together.data(), s.n, false};
  bf16_kernels()->multiply(p);
  for (long i = 0; i < s.m; ++i) {
    MatrixProduct one = p;
    one.m = 1;
    one.a += i * s.k;
    one.c = apart.data() + i * s.n;
    bf16_kernels()->multiply(one);
  }
  EXPECT_EQ(together, apart);
}

TEST_F(Bf16Products, KeepWhatIsNotANumber) {
  const std::vector<float> a = {1, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<float> b = {2, 3};
  float c = 0;
  bf16_kernels()->multiply({1, 1, 2, a.data(), 2, 1, b.data(), 1, 1, &c, 1, false});
  EXPECT_TRUE(std::isnan(c));
}

}  // namespace
}  // namespace tapir::student
