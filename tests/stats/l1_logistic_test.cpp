// Against scikit-learn's liblinear (tests/goldens/l1_logistic/make_goldens.py), and properties.
#include "stats/l1_logistic.h"

#include <array>
#include <cmath>
#include <vector>

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "test_data.h"

namespace tapir::stats {
namespace {

// As the script makes them.
LogisticRows golden_rows() {
  LogisticRows rows;
  rows.features = 3;
  for (int i = 0; i < 240; ++i) {
    const double a = std::sin(1.7 * i + 0.3);
    const double b = std::cos(0.9 * i * i);
    const double c = i % 5 != 0 ? 1 : 0;
    const std::array<double, 3> x = {std::tanh(2 * a), b, c};
    rows.add(x, sigmoid(1.5 * a - 0.4 * b - 0.8 * c + std::sin(37.0 * i)), i % 3 != 0 ? 1 : 0.1);
  }
  return rows;
}

// Objective and its gradient (of the loss part), computed the plain way.
double objective(const LogisticRows& rows, double c, const std::vector<double>& w,
                 std::vector<double>* gradient = nullptr) {
  double sum = 0;
  if (gradient != nullptr) gradient->assign(w.size(), 0);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    double z = 0;
    for (std::size_t j = 0; j < w.size(); ++j) z += w[j] * rows.row(i)[j];
    const double p = rows.labels[i];
    const double q = 1 / (1 + std::exp(-z));
    sum -= c * rows.weights[i] * (p * std::log(q) + (1 - p) * std::log(1 - q));
    for (std::size_t j = 0; gradient != nullptr && j < w.size(); ++j)
      (*gradient)[j] += c * rows.weights[i] * (q - p) * rows.row(i)[j];
  }
  for (const double one : w) sum += std::abs(one);
  return sum;
}

TEST(L1Logistic, NotAboveLiblinearAndAtItsCoefficients) {
  const auto file = testing::goldens() / "l1_logistic" / "goldens.json";
  const Json goldens = parse_json(read_file(file), file.string());
  const LogisticRows rows = golden_rows();
  for (const Json& golden : goldens.at("fits")) {
    const double c = golden.at("c");
    const L1LogisticFit fit = fit_l1_logistic(rows, c);
    EXPECT_TRUE(fit.converged) << c;
    const double theirs = golden.at("objective");
    EXPECT_LE(fit.objective, theirs * (1 + 1e-14)) << c;
    for (std::size_t j = 0; j < 3; ++j)
      EXPECT_NEAR(fit.coefficients[j], golden.at("coefficients")[j].get<double>(), 1e-6) << c;
  }
}

// At the optimum every coefficient's gradient is the penalty's, or within it at zero.
TEST(L1Logistic, MeetsTheOptimalityConditions) {
  RandomStream random(3, "l1");
  for (int round = 0; round < 30; ++round) {
    LogisticRows rows;
    rows.features = static_cast<std::size_t>(random.between(1, 6));
    for (int i = random.between(5, 200); i > 0; --i) {
      std::vector<double> x;
      for (std::size_t j = 0; j < rows.features; ++j) x.push_back(random.normal());
      rows.add(x, random.chance(0.3) ? random.below(2) : random.uniform(), random.uniform() + 0.01);
    }
    const double c = std::pow(10.0, random.uniform() * 6 - 3);
    const L1LogisticFit fit = fit_l1_logistic(rows, c);
    ASSERT_TRUE(fit.converged);
    std::vector<double> gradient;
    EXPECT_NEAR(objective(rows, c, fit.coefficients, &gradient), fit.objective,
                1e-10 * fit.objective);
    const double slack = 1e-6 * (1 + c);
    for (std::size_t j = 0; j < rows.features; ++j) {
      const double w = fit.coefficients[j];
      if (w == 0) {
        EXPECT_LE(std::abs(gradient[j]), 1 + slack);
      } else {
        EXPECT_NEAR(gradient[j], w > 0 ? -1 : 1, slack);
      }
    }
  }
}

TEST(L1Logistic, OneColumnOfOnesHasAClosedForm) {
  LogisticRows rows;
  rows.features = 1;
  for (int i = 0; i < 50; ++i) rows.add(std::array<double, 1>{1.0}, 0.2, 1);
  const double c = 2;
  // 50 c (q - 0.2) - 1 = 0 below zero
  const double q = 0.2 + 1 / (50 * c);
  EXPECT_NEAR(fit_l1_logistic(rows, c).coefficients[0], std::log(q / (1 - q)), 1e-12);
}

TEST(L1Logistic, AWeakFitIsAllZeros) {
  const L1LogisticFit fit = fit_l1_logistic(golden_rows(), 1e-5);
  EXPECT_THAT(fit.coefficients, ::testing::Each(0.0));
}

TEST(L1Logistic, SeparableRowsStayFinite) {
  LogisticRows rows;
  rows.features = 2;
  for (int i = -20; i <= 20; ++i) {
    if (i != 0) rows.add(std::array<double, 2>{static_cast<double>(i), 1.0}, i > 0 ? 1 : 0, 1);
  }
  const L1LogisticFit fit = fit_l1_logistic(rows, 1e4);
  EXPECT_TRUE(fit.converged);
  EXPECT_LT(std::abs(fit.coefficients[0]), 100);
}

TEST(L1Logistic, TheStartDoesNotMatter) {
  const LogisticRows rows = golden_rows();
  const auto plain = fit_l1_logistic(rows, 3).coefficients;
  const auto other = fit_l1_logistic(rows, 3, std::vector<double>{8, -9, 10}).coefficients;
  for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(plain[j], other[j], 1e-10);
}

TEST(L1Logistic, WeightsAreRepetitions) {
  LogisticRows once = golden_rows();
  for (double& weight : once.weights) weight = 2;
  LogisticRows twice = golden_rows();
  for (std::size_t i = 0; i < 240; ++i) {
    twice.weights[i] = 1;
    const std::vector<double> x(twice.row(i).begin(), twice.row(i).end());
    twice.add(x, twice.labels[i], 1);
  }
  const auto a = fit_l1_logistic(once, 1).coefficients;
  const auto b = fit_l1_logistic(twice, 1).coefficients;
  for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(a[j], b[j], 1e-12);
}

TEST(ChooseC, FoldsAsGroupKFoldDealsThem) {
  // sklearn.model_selection.GroupKFold(3) on eight groups of one size, sorted stably
  EXPECT_THAT(equal_group_folds(8, 3), ::testing::ElementsAre(1, 0, 2, 1, 0, 2, 1, 0));
}

TEST(ChooseC, CandidatesAreLogSpaced) {
  const std::vector<double> cs = log_spaced(-4, 4, 10);
  ASSERT_EQ(cs.size(), 10U);
  EXPECT_DOUBLE_EQ(cs.front(), 1e-4);
  EXPECT_DOUBLE_EQ(cs.back(), 1e4);
  EXPECT_NEAR(cs[6], 21.544346900318832, 1e-12);
}

TEST(ChooseC, TheLowestHeldOutLossWins) {
  const LogisticRows rows = golden_rows();
  const std::vector<double> candidates = log_spaced(-4, 4, 10);
  const std::vector<int> folds = equal_group_folds(rows.size(), 5);
  const ChosenC chosen = choose_c(rows, folds, candidates);
  ASSERT_EQ(chosen.losses.size(), 10U);
  std::size_t best = 0;
  for (std::size_t k = 0; k < 10; ++k) {
    // By hand: fit on four folds, mean loss on the fifth.
    double loss = 0;
    for (int fold = 0; fold < 5; ++fold) {
      LogisticRows train, test;
      train.features = test.features = 3;
      for (std::size_t i = 0; i < rows.size(); ++i)
        (folds[i] == fold ? test : train).add(rows.row(i), rows.labels[i], rows.weights[i]);
      const auto w = fit_l1_logistic(train, candidates[k]).coefficients;
      double penalty = 0;
      for (const double one : w) penalty += std::abs(one);
      loss += (objective(test, 1, w) - penalty) / static_cast<double>(test.size()) / 5;
    }
    EXPECT_NEAR(chosen.losses[k], loss, 1e-9);
    if (chosen.losses[k] < chosen.losses[best]) best = k;
  }
  EXPECT_EQ(chosen.c, candidates[best]);
}

TEST(L1Logistic, BrokenPromisesAreBugs) {
  EXPECT_THROW(fit_l1_logistic(golden_rows(), 0), Error);
  EXPECT_THROW(fit_l1_logistic(LogisticRows{}, 1), Error);
}

}  // namespace
}  // namespace tapir::stats
