// Against values of scipy and rouge_score (tests/goldens/stats/make_goldens.py), and properties.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "stats/distributions.h"
#include "stats/intervals.h"
#include "stats/resampling.h"
#include "stats/rouge_l.h"

namespace tapir::stats {
namespace {

const Json& goldens() {
  static const Json parsed = [] {
    const std::string path = std::string(TAPIR_SOURCE_DIR) + "/tests/goldens/stats/goldens.json";
    return parse_json(read_file(path), path);
  }();
  return parsed;
}

double relative(double value) { return 1e-11 * std::max(1.0, std::fabs(value)); }

TEST(Distributions, NormalQuantileAsScipy) {
  for (const Json& row : goldens()["distributions"]["normal_quantile"]) {
    EXPECT_NEAR(normal_quantile(row[0]), row[1], 1e-12) << row;
  }
}

TEST(Distributions, StudentTAsScipy) {
  for (const Json& row : goldens()["distributions"]["t_quantile"]) {
    EXPECT_NEAR(student_t_quantile(row[0], row[1]), row[2], relative(row[2])) << row;
  }
  for (const Json& row : goldens()["distributions"]["t_cdf"]) {
    EXPECT_NEAR(student_t_cdf(row[0], row[1]), row[2], 1e-12) << row;
  }
}

TEST(Distributions, IncompleteBetaAsScipy) {
  for (const Json& row : goldens()["distributions"]["incomplete_beta"]) {
    EXPECT_NEAR(incomplete_beta(row[0], row[1], row[2]), row[3], 1e-12) << row;
  }
}

TEST(Distributions, OutOfRangeIsABug) {
  EXPECT_THROW(normal_quantile(0), Error);
  EXPECT_THROW(normal_quantile(1), Error);
  EXPECT_THROW(student_t_quantile(1.2, 3), Error);
  EXPECT_THROW(student_t_cdf(1, 0), Error);
}

TEST(Intervals, WilsonAsScipy) {
  for (const Json& row : goldens()["intervals"]["wilson"]) {
    const Interval interval = wilson_interval(row[0], row[1], row[2]);
    EXPECT_NEAR(interval.low, row[3], 1e-12) << row;
    EXPECT_NEAR(interval.high, row[4], 1e-12) << row;
  }
  EXPECT_EQ(wilson_interval(0, 0).low, 0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1);
  EXPECT_THROW(wilson_interval(3, 2), Error);
}

TEST(Intervals, StudentTAsScipy) {
  for (const Json& row : goldens()["intervals"]["samples"]) {
    const auto values = row["values"].get<std::vector<double>>();
    EXPECT_NEAR(mean(values), row["mean"], 1e-12);
    EXPECT_NEAR(sample_sd(values), row["sd"], 1e-12);
    const Interval interval = student_t_interval(values);
    EXPECT_NEAR(interval.low, row["low"], relative(row["low"]));
    EXPECT_NEAR(interval.high, row["high"], relative(row["high"]));
  }
  EXPECT_TRUE(std::isinf(student_t_interval(std::vector<double>{1.0}).high));
  EXPECT_EQ(sample_sd({}), 0);
}

TEST(SignFlip, ExactAsScipy) {
  for (const Json& row : goldens()["resampling"]["exact"]) {
    RandomStream stream(1, "sign_flip");
    const auto before = stream.state();
    EXPECT_NEAR(sign_flip_p(row["values"].get<std::vector<double>>(), stream), row["p"], 1e-12)
        << row;
    EXPECT_EQ(stream.state(), before) << "the exact test draws nothing";
  }
}

TEST(SignFlip, MonteCarloNearScipyAndRepeatable) {
  const Json& many = goldens()["resampling"]["many"];
  const auto values = many["values"].get<std::vector<double>>();
  RandomStream a(1, "sign_flip");
  RandomStream b(1, "sign_flip");
  const double p = sign_flip_p(values, a);
  EXPECT_EQ(p, sign_flip_p(values, b));
  const double expected = many["p"];
  EXPECT_NEAR(p, expected, 4 * std::sqrt(expected * (1 - expected) / 10000));
}

TEST(SignFlip, MonteCarloAgreesWithExact) {
  RandomStream draw(9, "values");
  std::vector<double> values(18);
  for (double& value : values) value = 0.3 + draw.normal();
  RandomStream stream(2, "sign_flip");
  const double exact = sign_flip_p(values, stream);
  const double sampled = sign_flip_p(values, stream, {.exact_up_to = 0, .flips = 40000});
  EXPECT_NEAR(sampled, exact, 4 * std::sqrt(exact * (1 - exact) / 40000) + 1.0 / 40000);
}

TEST(SignFlip, EdgeCases) {
  RandomStream stream(1, "sign_flip");
  EXPECT_EQ(sign_flip_p({}, stream), 1);
  EXPECT_EQ(sign_flip_p(std::vector<double>{0, 0, 0}, stream), 1);
  EXPECT_EQ(sign_flip_p(std::vector<double>{0, 3, 0}, stream), 1);
  EXPECT_DOUBLE_EQ(sign_flip_p(std::vector<double>(6, 0.1), stream), 2.0 / 64);
  EXPECT_DOUBLE_EQ(sign_flip_p(std::vector<double>(500, 1.0), stream), std::ldexp(1.0, -499));
  // Never 0, however clear.
  EXPECT_GT(sign_flip_p(std::vector<double>(5000, 1.0), stream), 0);
  EXPECT_DOUBLE_EQ(sign_flip_p(std::vector<double>(500, 1.0), stream, {.exact_steps = 0}),
                   1.0 / 10001);
}

TEST(Bootstrap, NearScipyAndRepeatable) {
  const Json& many = goldens()["resampling"]["many"];
  const auto values = many["values"].get<std::vector<double>>();
  RandomStream a(1, "bootstrap");
  RandomStream b(1, "bootstrap");
  const Interval interval = bootstrap_mean(values, a, {.resamples = 10000});
  const Interval again = bootstrap_mean(values, b, {.resamples = 10000});
  EXPECT_EQ(interval.low, again.low);
  EXPECT_EQ(interval.high, again.high);
  EXPECT_NEAR(interval.low, many["bootstrap"][0], 0.006);
  EXPECT_NEAR(interval.high, many["bootstrap"][1], 0.006);
}

TEST(Bootstrap, StrataCountEquallyAndAreResampledWithin) {
  // Constant within strata: resampling within them changes nothing, and each stratum counts once.
  RandomStream stream(1, "bootstrap");
  const std::vector<std::vector<double>> strata = {{1, 1, 1, 1, 1, 1}, {}, {0, 0}};
  const Interval interval = bootstrap_macro_mean(strata, stream);
  EXPECT_DOUBLE_EQ(interval.low, 0.5);
  EXPECT_DOUBLE_EQ(interval.high, 0.5);
  EXPECT_THROW(bootstrap_macro_mean({{}, {}}, stream), Error);
  EXPECT_THROW(bootstrap_mean({}, stream), Error);
}

TEST(Bootstrap, CoversTheTruthAboutAsOftenAsItSays) {
  int covered = 0;
  for (int trial = 0; trial < 300; ++trial) {
    RandomStream stream(5, "coverage", std::to_string(trial));
    std::vector<double> values(60);
    for (double& value : values) value = 1 + stream.normal();
    covered += bootstrap_mean(values, stream, {.resamples = 400}).contains(1.0) ? 1 : 0;
  }
  EXPECT_GT(covered, 270);
  EXPECT_LT(covered, 299);
}

TEST(CompareMacro, IsTheMeanOfTheStrataWithItsInterval) {
  const std::vector<std::vector<double>> strata = {
      {1, 0, 1, 0}, {}, {-1, 0}, {1, 1, 1, 1, 1, 1, 1, 0}};
  const MacroComparison result = compare_macro(strata, 3, "x");
  EXPECT_DOUBLE_EQ(result.difference, (0.5 - 0.5 + 0.875) / 3);
  EXPECT_LT(result.interval.low, result.difference);
  EXPECT_GT(result.interval.high, result.difference);
  // The same by counting all sign patterns of the weighted differences.
  const std::vector<double> weighted = {.25, .25, -.5, .125, .125, .125, .125, .125, .125, .125};
  int hits = 0;
  for (int pattern = 0; pattern < 1024; ++pattern) {
    double sum = 0;
    for (std::size_t i = 0; i < weighted.size(); ++i)
      sum += (pattern >> i & 1) != 0 ? weighted[i] : -weighted[i];
    hits += std::fabs(sum) >= 0.875 - 1e-12 ? 1 : 0;
  }
  EXPECT_DOUBLE_EQ(result.p, hits / 1024.0);
  EXPECT_EQ(compare_macro({{}, {}}, 3, "x").p, 1);
}

TEST(RougeL, AsRougeScore) {
  for (const Json& row : goldens()["rouge_l"]) {
    const auto a = row[0].get<std::string>();
    const auto b = row[1].get<std::string>();
    EXPECT_NEAR(rouge_l_f1(a, b), row[2], 1e-12) << row;
    EXPECT_DOUBLE_EQ(rouge_l_f1(a, b), rouge_l_f1(b, a));
  }
}

std::size_t plain_lcs(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  std::vector<std::vector<std::size_t>> table(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      table[i][j] = a[i - 1] == b[j - 1] ? table[i - 1][j - 1] + 1
                                         : std::max(table[i - 1][j], table[i][j - 1]);
    }
  }
  return table[a.size()][b.size()];
}

TEST(RougeL, BitParallelEqualsThePlainProgramme) {
  RandomStream stream(3, "lcs");
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<std::uint64_t> a(stream.below(200));
    std::vector<std::uint64_t> b(stream.below(200));
    const std::uint64_t words = 1 + stream.below(30);
    for (auto& token : a) token = stream.below(words);
    for (auto& token : b) token = stream.below(words);
    ASSERT_EQ(longest_common_subsequence(a, b), plain_lcs(a, b)) << trial;
  }
}

TEST(RougeL, NeedsIsTheShortestSubsequenceThatReachesTheThreshold) {
  for (const double f1 : {0.05, 0.3, 0.5, 0.7, 2.0 / 3, 0.9, 1.0}) {
    for (std::size_t a = 1; a < 60; ++a) {
      for (std::size_t b = 1; b < 60; ++b) {
        std::size_t plain = 1;
        while (plain <= std::min(a, b) && rouge_l_f1(plain, a, b) < f1) ++plain;
        const std::size_t most = std::min(a, b);
        const std::size_t needs = rouge_l_needs(f1, a, b);
        ASSERT_EQ(std::min(needs, most + 1), plain) << f1 << " " << a << " " << b;
      }
    }
  }
}

}  // namespace
}  // namespace tapir::stats
