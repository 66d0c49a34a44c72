// Products on bf16 units against a slow reference that rounds its operands the same way.
#include "student/bf16_kernels.h"

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace tapir::student {
namespace {

// To the nearest bf16, ties to even.
float rounded(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7fffU + ((bits >> 16U) & 1U)) & 0xffff0000U);
}

std::vector<float> random_floats(long size, const std::string& name) {
  RandomStream random(12, "test", name);
  std::vector<float> values(static_cast<std::size_t>(size));
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

class Bf16Products : public ::testing::Test {
 protected:
  void SetUp() override {
    if (bf16_kernels() == nullptr) GTEST_SKIP() << "this CPU has no bf16 units";
  }
};

struct Shape {
  long m, n, k;
};

// form: bit 0 A turned, bit 1 B turned, bit 2 accumulate. C has five columns more than are written.
void expect_product(const Shape& s, int form) {
  SCOPED_TRACE(testing::Message() << s.m << " x " << s.n << " x " << s.k << ", form " << form);
  const bool a_turned = (form & 1) != 0;
  const bool b_turned = (form & 2) != 0;
  const bool accumulate = (form & 4) != 0;
  const std::vector<float> a = random_floats(s.m * s.k, "a");
  const std::vector<float> b = random_floats(s.k * s.n, "b");
  const long c_row = s.n + 5;
  std::vector<float> c(static_cast<std::size_t>(s.m * c_row), 0.5F);
  const MatrixProduct p{s.m,
                        s.n,
                        s.k,
                        a.data(),
                        a_turned ? 1 : s.k,
                        a_turned ? s.m : 1,
                        b.data(),
                        b_turned ? 1 : s.n,
                        b_turned ? s.k : 1,
                        c.data(),
                        c_row,
                        accumulate};
  bf16_kernels()->multiply(p);
  for (long i = 0; i < s.m; ++i) {
    for (long j = 0; j < c_row; ++j) {
      double expected = j < s.n && !accumulate ? 0 : 0.5;
      for (long k = 0; k < s.k && j < s.n; ++k) {
        expected += static_cast<double>(rounded(p.a[i * p.a_row + k * p.a_column])) *
                    static_cast<double>(rounded(p.b[k * p.b_row + j * p.b_column]));
      }
      const float found = c[static_cast<std::size_t>(i * c_row + j)];
      ASSERT_NEAR(found, expected, 1e-4 * (1 + std::abs(expected)))
          << "row " << i << " column " << j;
    }
  }
}

TEST_F(Bf16Products, OfAllTranspositionsAndAwkwardSizes) {
  for (const Shape& s : {Shape{1, 1, 1}, Shape{13, 33, 7}, Shape{12, 32, 256}, Shape{25, 16, 300},
                         Shape{7, 47, 5}, Shape{40, 96, 513}, Shape{251, 17, 31}, Shape{3, 5, 1}}) {
    for (int form = 0; form < 8; ++form) expect_product(s, form);
  }
}

TEST_F(Bf16Products, AreTheSameBitsEachTimeAndForRowsAlone) {
  const Shape s{30, 40, 70};
  const std::vector<float> a = random_floats(s.m * s.k, "a");
  const std::vector<float> b = random_floats(s.k * s.n, "b");
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
