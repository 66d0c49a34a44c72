// Every kernel of every instruction set against a slow reference in double precision, at awkward
// sizes.
#include "student/kernels.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "products.h"
#include "student/decoder.h"

namespace tapir::student {
namespace {

using testing::random_floats;

void expect_near(const std::vector<float>& found, const std::vector<double>& expected,
                 double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(found[i], expected[i], tolerance * (1 + std::abs(expected[i]))) << "element " << i;
  }
}

class EveryKernelSet : public ::testing::TestWithParam<int> {
 protected:
  EveryKernelSet() : kernels_(*available_kernels().sets[GetParam()]) {}
  const Kernels& kernels_;
};

TEST_P(EveryKernelSet, ProductsOfAllTranspositions) {
  for (const testing::ProductShape& shape : testing::kProductShapes)
    testing::expect_products(shape, kernels_.multiply, [](float value) { return value; });
}

TEST_P(EveryKernelSet, RmsNormForwardAndBackward) {
  const long rows = 3;
  const long width = 37;
  const std::vector<float> x = random_floats(rows * width, "x");
  const std::vector<float> w = random_floats(width, "w");
  const std::vector<float> dy = random_floats(rows * width, "dy");
  std::vector<float> y(x.size());
  std::vector<float> inverse(rows);
  std::vector<float> dx(x.size(), 1.0F);
  std::vector<float> dw(w.size(), 2.0F);
  kernels_.rms_norm({rows, width, 1e-5F, x.data(), w.data(), y.data(), inverse.data()});
  kernels_.rms_norm_backward(
      {rows, width, x.data(), w.data(), inverse.data(), dy.data(), dx.data(), dw.data()});
  std::vector<double> expected_y(x.size());
  std::vector<double> expected_dx(x.size());
  std::vector<double> expected_dw(w.size(), 2.0);
  for (long r = 0; r < rows; ++r) {
    double squares = 0;
    double dot = 0;
    const auto at = [&](long i) { return static_cast<std::size_t>(r * width + i); };
    for (long i = 0; i < width; ++i) squares += std::pow(static_cast<double>(x[at(i)]), 2);
    const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + 1e-5);
    for (long i = 0; i < width; ++i) {
      dot += static_cast<double>(dy[at(i)]) * w[static_cast<std::size_t>(i)] * x[at(i)];
    }
    for (long i = 0; i < width; ++i) {
      const double wi = w[static_cast<std::size_t>(i)];
      expected_y[at(i)] = x[at(i)] * scale * wi;
      expected_dw[static_cast<std::size_t>(i)] += dy[at(i)] * x[at(i)] * scale;
      expected_dx[at(i)] = 1 + scale * dy[at(i)] * wi -
                           x[at(i)] * dot * std::pow(scale, 3) / static_cast<double>(width);
    }
  }
  expect_near(y, expected_y, 1e-5);
  expect_near(dx, expected_dx, 1e-5);
  expect_near(dw, expected_dw, 1e-5);
}

TEST_P(EveryKernelSet, SwiGluForwardAndBackward) {
  const long rows = 2;
  const long width = 21;
  const std::vector<float> gate_up = random_floats(rows * 2 * width, "gate", 4);
  const std::vector<float> dy = random_floats(rows * width, "dy");
  std::vector<float> y(dy.size());
  std::vector<float> d(gate_up.size());
  kernels_.swiglu({rows, width, gate_up.data(), y.data()});
  kernels_.swiglu_backward({rows, width, gate_up.data(), dy.data(), d.data()});
  std::vector<double> expected_y(y.size());
  std::vector<double> expected_d(d.size());
  for (long r = 0; r < rows; ++r) {
    for (long i = 0; i < width; ++i) {
      const auto gate_at = static_cast<std::size_t>(r * 2 * width + i);
      const std::size_t up_at = gate_at + static_cast<std::size_t>(width);
      const auto at = static_cast<std::size_t>(r * width + i);
      const double g = gate_up[gate_at];
      const double u = gate_up[up_at];
      const double s = 1 / (1 + std::exp(-g));
      expected_y[at] = g * s * u;
      expected_d[gate_at] = dy[at] * u * s * (1 + g * (1 - s));
      expected_d[up_at] = dy[at] * g * s;
    }
  }
  expect_near(y, expected_y, 1e-5);
  expect_near(d, expected_d, 1e-5);
}

TEST_P(EveryKernelSet, ActivationOfExtremeInputsIsFinite) {
  std::vector<float> gate_up = {-1e30F, 1e30F, -100, 100, -88, 88, 0, 1, 1, 1, 1, 1, 1, 1};
  std::vector<float> y(7);
  kernels_.swiglu({1, 7, gate_up.data(), y.data()});
  EXPECT_EQ(y[1], 1e30F);
  EXPECT_NEAR(y[2], 0, 1e-30);
  EXPECT_EQ(y[3], 100);
  EXPECT_EQ(y[6], 0);
  for (const float value : y) EXPECT_TRUE(std::isfinite(value));
}

TEST_P(EveryKernelSet, CrossEntropyAndItsGradient) {
  const long rows = 3;
  for (const long vocab : {2L, 16L, 131L}) {
    std::vector<float> logits = random_floats(rows * vocab, "logits", 5);
    const std::vector<float> given = logits;
    const std::vector<std::int32_t> targets = {0, 1, static_cast<std::int32_t>(vocab) - 1};
    std::vector<float> logprobs(rows);
    kernels_.cross_entropy({rows, vocab, 0, targets.data(), logits.data(), logprobs.data()});
    EXPECT_EQ(logits, given);
    kernels_.cross_entropy({rows, vocab, 0.25F, targets.data(), logits.data(), logprobs.data()});
    std::vector<double> expected(rows);
    std::vector<double> gradient(logits.size());
    for (long r = 0; r < rows; ++r) {
      double total = 0;
      for (long i = 0; i < vocab; ++i)
        total += std::exp(static_cast<double>(given[static_cast<std::size_t>(r * vocab + i)]));
      for (long i = 0; i < vocab; ++i) {
        const auto at = static_cast<std::size_t>(r * vocab + i);
        const double p = std::exp(static_cast<double>(given[at])) / total;
        const bool is_target = i == targets[static_cast<std::size_t>(r)];
        gradient[at] = 0.25 * (p - (is_target ? 1 : 0));
        if (is_target) expected[static_cast<std::size_t>(r)] = std::log(p);
      }
    }
    expect_near(logprobs, expected, 1e-5);
    expect_near(logits, gradient, 1e-6);
  }
}

TEST_P(EveryKernelSet, RotaryTurnsBack) {
  const std::vector<float> given = random_floats(4 * 3 * 10, "x");
  std::vector<float> x = given;
  const std::vector<std::int32_t> positions = {0, 3, 1, 2};
  std::vector<float> cosines;
  std::vector<float> sines;
  for (int i = 0; i < 4 * 5; ++i) {
    cosines.push_back(std::cos(0.3F * static_cast<float>(i)));
    sines.push_back(std::sin(0.3F * static_cast<float>(i)));
  }
  kernels_.rotary({4, 30, 2, 10, positions.data(), cosines.data(), sines.data(), false, x.data()});
  // Row 1, head 1, pair (2, 7) at position 3.
  const double angle_cos = cosines[3 * 5 + 2];
  const double angle_sin = sines[3 * 5 + 2];
  EXPECT_NEAR(x[30 + 10 + 2], given[42] * angle_cos - given[47] * angle_sin, 1e-6);
  EXPECT_NEAR(x[30 + 10 + 7], given[47] * angle_cos + given[42] * angle_sin, 1e-6);
  EXPECT_EQ(x[30 + 20], given[50]);  // the third head (values) stays
  kernels_.rotary({4, 30, 2, 10, positions.data(), cosines.data(), sines.data(), true, x.data()});
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], given[i], 1e-5);
}

// sum(out * dout) of attention in double precision.
double attention_value(const Attention& a, const std::vector<double>& qkv,
                       const std::vector<float>& dout, std::vector<double>* out) {
  const long stride = static_cast<long>(a.heads + 2 * a.kv_heads) * a.head_dim;
  double value = 0;
  for (int head = 0; head < a.heads; ++head) {
    const long key = static_cast<long>(a.heads + head / (a.heads / a.kv_heads)) * a.head_dim;
    const long value_column = key + static_cast<long>(a.kv_heads) * a.head_dim;
    for (long i = 0; i < a.length; ++i) {
      std::vector<double> p(static_cast<std::size_t>(i + 1));
      double total = 0;
      const long begin = a.window > 0 ? std::max(0L, i - a.window + 1) : 0;
      for (long j = begin; j <= i; ++j) {
        double score = 0;
        for (int d = 0; d < a.head_dim; ++d) {
          score += qkv[static_cast<std::size_t>(i * stride + head * a.head_dim + d)] *
                   qkv[static_cast<std::size_t>(j * stride + key + d)];
        }
        p[static_cast<std::size_t>(j)] = std::exp(score * static_cast<double>(a.scale));
        total += p[static_cast<std::size_t>(j)];
      }
      for (int d = 0; d < a.head_dim; ++d) {
        double sum = 0;
        for (long j = begin; j <= i; ++j) {
          sum += p[static_cast<std::size_t>(j)] / total *
                 qkv[static_cast<std::size_t>(j * stride + value_column + d)];
        }
        const auto at = static_cast<std::size_t>((i * a.heads + head) * a.head_dim + d);
        if (out != nullptr) (*out)[at] = sum;
        value += sum * static_cast<double>(dout[at]);
      }
    }
  }
  return value;
}

TEST_P(EveryKernelSet, AttentionAndItsGradient) {
  struct Case {
    long length;
    int heads, kv_heads, head_dim;
    long window = 0;
  };
  for (const Case& c : {Case{1, 1, 1, 2}, Case{13, 2, 1, 6}, Case{40, 2, 2, 16}, Case{35, 4, 2, 34},
                        Case{13, 2, 1, 6, 1}, Case{40, 2, 2, 16, 40}, Case{90, 2, 1, 6, 17}}) {
    const long width = static_cast<long>(c.heads + 2 * c.kv_heads) * c.head_dim;
    const std::vector<float> qkv = random_floats(c.length * width, "qkv");
    const std::vector<float> dout = random_floats(c.length * c.heads * c.head_dim, "dout");
    std::vector<float> out(dout.size());
    std::vector<float> log_sum_exp(static_cast<std::size_t>(c.length * c.heads));
    std::vector<float> dqkv(qkv.size());
    FloatBuffer scratch;
    const Attention attention{c.length,
                              c.heads,
                              c.kv_heads,
                              c.head_dim,
                              1 / std::sqrt(static_cast<float>(c.head_dim)),
                              qkv.data(),
                              out.data(),
                              log_sum_exp.data(),
                              scratch.reserve(attention_scratch(c.length, c.head_dim)),
                              c.window};
    kernels_.attention(attention);
    kernels_.attention_backward({attention, dout.data(), dqkv.data()});

    std::vector<double> exact(qkv.begin(), qkv.end());
    std::vector<double> expected_out(out.size());
    (void)attention_value(attention, exact, dout, &expected_out);
    expect_near(out, expected_out, 1e-5);
    // Differences of the slow reference, at a few places of each kind.
    RandomStream random(5, "test", "places");
    for (int i = 0; i < 12; ++i) {
      const std::size_t at = random.below(exact.size());
      const double saved = exact[at];
      constexpr double kStep = 1e-4;
      exact[at] = saved + kStep;
      const double above = attention_value(attention, exact, dout, nullptr);
      exact[at] = saved - kStep;
      const double below = attention_value(attention, exact, dout, nullptr);
      exact[at] = saved;
      EXPECT_NEAR(dqkv[at], (above - below) / (2 * kStep), 1e-3) << "element " << at;
    }
  }
}

TEST_P(EveryKernelSet, SumsAndAdamW) {
  const std::vector<float> x = random_floats(1003, "x");
  double squares = 0;
  for (const float value : x) squares += std::pow(static_cast<double>(value), 2);
  EXPECT_NEAR(kernels_.sum_of_squares(x.data(), 1003), squares, 1e-9 * squares);
  std::vector<float> y = x;
  kernels_.add(y.data(), x.data(), 1003);
  for (std::size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], 2 * x[i]);

  std::vector<float> p = random_floats(100, "p");
  std::vector<float> m = random_floats(100, "m", 0.1);
  std::vector<float> v = random_floats(100, "v", 0.1);
  for (float& value : v) value = value * value;
  const std::vector<float> g = random_floats(100, "g");
  std::vector<double> expected;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double gradient = 0.5 * g[i];
    const double new_m = 0.9 * m[i] + 0.1 * gradient;
    const double new_v = 0.99 * v[i] + 0.01 * gradient * gradient;
    const double step = (new_m / 0.271) / (std::sqrt(new_v / 0.0297) + 1e-8);
    expected.push_back(p[i] * (1 - 0.01 * 0.1) - 0.01 * step);
  }
  kernels_.adamw({100, 0.01F, 0.1F, 0.9F, 0.99F, 1e-8F, 0.271F, 0.0297F, 0.5F, g.data(), p.data(),
                  m.data(), v.data()});
  expect_near(p, expected, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Sets, EveryKernelSet, ::testing::Range(0, available_kernels().count),
                         [](const auto& set) {
                           return std::string(available_kernels().sets[set.param]->name);
                         });

}  // namespace
}  // namespace tapir::student
