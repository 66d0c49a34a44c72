// Logistic regression with an L1 penalty and soft labels, fitted to convergence, and the choice of
// its strength C by cross-validation. Pure functions; made for few features and thousands of rows.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tapir::stats {

// A soft label stands for two rows of scikit-learn's: y = 1 with weight * label, y = 0 with
// weight * (1 - label).
struct LogisticRows {
  std::size_t features = 0;
  std::vector<double> x;        // [rows, features], finite; a column of ones is an intercept
  std::vector<double> labels;   // [rows], probability of class 1, [0, 1]
  std::vector<double> weights;  // [rows], >= 0

  std::size_t size() const { return labels.size(); }
  std::span<const double> row(std::size_t i) const { return {x.data() + i * features, features}; }
  // REQUIRES: as many values as features.
  void add(std::span<const double> values, double label, double weight);
};

struct L1LogisticFit {
  std::vector<double> coefficients;  // [features]
  double objective = 0;              // at the coefficients
  int iterations = 0;                // Newton steps
  bool converged = false;            // the optimality conditions hold to rounding
};

// Minimises |w|_1 + C * sum_i weight_i * CE_i(w), where CE_i is the cross-entropy of label_i and
// sigmoid(w . x_i): the objective of liblinear's L1-regularised logistic regression without
// intercept (scikit-learn: penalty="l1", solver="liblinear", fit_intercept=False). Newton steps
// whose penalised quadratic models are solved by coordinate descent. start: coefficients to begin
// at, or empty. REQUIRES: c > 0, at least one row.
L1LogisticFit fit_l1_logistic(const LogisticRows& rows, double c,
                              std::span<const double> start = {});

double sigmoid(double x);

// 10^from ... 10^to, `count` values at equal ratios. REQUIRES: count >= 2.
std::vector<double> log_spaced(double from, double to, int count);

// Folds of `rows` rows that are groups of equal size, as scikit-learn's GroupKFold deals them out
// when its sort is stable: the last row to fold 0, the one before to fold 1, ... [rows], below
// `folds`.
std::vector<int> equal_group_folds(std::size_t rows, int folds);

struct ChosenC {
  double c = 0;
  std::vector<double> losses;  // one per candidate: mean over folds of the held-out loss
};

// The candidate with the lowest mean over folds of the mean of weight_i * CE_i on the fold's rows
// (probabilities cut at 1e-15), fitted on the other folds; of equal ones the first. folds: of each
// row, all of 0 ... max used. REQUIRES: candidates positive and ascending, at least two folds.
ChosenC choose_c(const LogisticRows& rows, std::span<const int> folds,
                 std::span<const double> candidates);

}  // namespace tapir::stats
