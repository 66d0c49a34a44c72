// Products of matrices in all eight forms, beside a slow reference in double precision.
#pragma once

#include <cmath>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "random_student.h"
#include "student/kernels.h"

namespace tapir::testing {

struct ProductShape {
  long m, n, k;
};

// One at a time, a multiple of no tile, a tile exactly, beyond a block of the third extent.
inline constexpr ProductShape kProductShapes[] = {{1, 1, 1},     {13, 33, 7}, {12, 32, 256},
                                                  {25, 16, 300}, {7, 47, 5},  {40, 96, 513},
                                                  {251, 17, 31}, {3, 5, 1}};

// A and B as they are and turned, C written and added to. C has five columns more than are written.
// as_used: what the kernel makes of an operand before it multiplies.
inline void expect_products(const ProductShape& s,
                            const std::function<void(const student::MatrixProduct&)>& multiply,
                            float (*as_used)(float)) {
  const std::vector<float> a = random_floats(s.m * s.k, "a");
  const std::vector<float> b = random_floats(s.k * s.n, "b");
  const long c_row = s.n + 5;
  for (int form = 0; form < 8; ++form) {
    SCOPED_TRACE(::testing::Message() << s.m << " x " << s.n << " x " << s.k << ", form " << form);
    const bool a_turned = (form & 1) != 0;
    const bool b_turned = (form & 2) != 0;
    const bool accumulate = (form & 4) != 0;
    std::vector<float> c(static_cast<std::size_t>(s.m * c_row), 0.5F);
    const student::MatrixProduct p{.m = s.m,
                                   .n = s.n,
                                   .k = s.k,
                                   .a = a.data(),
                                   .a_row = a_turned ? 1 : s.k,
                                   .a_column = a_turned ? s.m : 1,
                                   .b = b.data(),
                                   .b_row = b_turned ? 1 : s.n,
                                   .b_column = b_turned ? s.k : 1,
                                   .c = c.data(),
                                   .c_row = c_row,
                                   .accumulate = accumulate};
    multiply(p);
    for (long i = 0; i < s.m; ++i) {
      for (long j = 0; j < c_row; ++j) {
        double expected = j < s.n && !accumulate ? 0 : 0.5;
        for (long k = 0; k < s.k && j < s.n; ++k) {
          expected += static_cast<double>(as_used(p.a[i * p.a_row + k * p.a_column])) *
                      static_cast<double>(as_used(p.b[k * p.b_row + j * p.b_column]));
        }
        ASSERT_NEAR(c[static_cast<std::size_t>(i * c_row + j)], expected,
                    1e-4 * (1 + std::abs(expected)))
            << "row " << i << " column " << j;
      }
    }
  }
}

}  // namespace tapir::testing
