#include "stats/l1_logistic.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace tapir::stats {
namespace {

constexpr int kMaxIterations = 500;
constexpr int kMaxHalvings = 60;
constexpr int kMaxSweeps = 10000;
constexpr double kLeastCurvature = 1e-10;
constexpr double kDecrease = 1e-4;  // of the foreseen decrease that a step has to reach (Armijo)

double soft_threshold(double value, double by) {
  if (value > by) return value - by;
  return value < -by ? value + by : 0;
}

double l1_norm(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += std::abs(value);
  return sum;
}

// The loss part of the objective, and what a Newton step needs of it.
class Loss {
 public:
  Loss(const LogisticRows& rows, double c) : rows_(rows), c_(c), probabilities_(rows.size()) {
    double largest = 0;
    for (const double value : rows.x) largest = std::max(largest, std::abs(value));
    double weight = 0;
    for (const double one : rows.weights) weight += one;
    scale_ = c * weight * largest;
  }

  // Remembers the probabilities at w.
  double value(std::span<const double> w) {
    double sum = 0;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const double* x = rows_.x.data() + i * rows_.features;
      double z = 0;
      for (std::size_t j = 0; j < rows_.features; ++j) z += w[j] * x[j];
      const double e = std::exp(-std::abs(z));
      probabilities_[i] = (z >= 0 ? 1 : e) / (1 + e);
      sum += rows_.weights[i] * (std::max(z, 0.0) - rows_.labels[i] * z + std::log(1 + e));
    }
    return c_ * sum;
  }

  // At the last w of value(): gradient [features] and Hessian [features, features].
  void derivatives(std::vector<double>& gradient, std::vector<double>& hessian) const {
    const std::size_t n = rows_.features;
    gradient.assign(n, 0);
    hessian.assign(n * n, 0);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const double* x = rows_.x.data() + i * n;
      const double q = probabilities_[i];
      const double slope = c_ * rows_.weights[i] * (q - rows_.labels[i]);
      const double curvature = c_ * rows_.weights[i] * q * (1 - q);
      for (std::size_t j = 0; j < n; ++j) {
        gradient[j] += slope * x[j];
        for (std::size_t k = 0; k <= j; ++k) hessian[j * n + k] += curvature * x[j] * x[k];
      }
    }
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t k = 0; k < j; ++k) hessian[k * n + j] = hessian[j * n + k];
    }
  }

  double scale() const { return scale_; }  // a bound on the gradient's entries

 private:
  const LogisticRows& rows_;
  double c_;
  double scale_ = 0;
  std::vector<double> probabilities_;
};

// The largest entry of the smallest subgradient: zero at the optimum.
double violation(std::span<const double> w, std::span<const double> gradient) {
  double worst = 0;
  for (std::size_t j = 0; j < w.size(); ++j) {
    const double here =
        w[j] == 0 ? soft_threshold(gradient[j], 1) : gradient[j] + std::copysign(1.0, w[j]);
    worst = std::max(worst, std::abs(here));
  }
  return worst;
}

// The step d that minimises gradient . d + d' hessian d / 2 + |w + d|_1, by coordinate descent.
std::vector<double> newton_step(std::span<const double> w, std::span<const double> gradient,
                                std::span<const double> hessian) {
  const std::size_t n = w.size();
  std::vector<double> step(n, 0);
  std::vector<double> slope(gradient.begin(), gradient.end());  // gradient + hessian * step
  for (int sweep = 0; sweep < kMaxSweeps; ++sweep) {
    double moved = 0;
    for (std::size_t j = 0; j < n; ++j) {
      // Where a column does not matter (any more) the penalty alone decides.
      const double curvature = std::max(hessian[j * n + j], kLeastCurvature);
      const double now = w[j] + step[j];
      const double change = soft_threshold(now - slope[j] / curvature, 1 / curvature) - now;
      if (change == 0) continue;
      step[j] += change;
      for (std::size_t k = 0; k < n; ++k) slope[k] += hessian[j * n + k] * change;
      moved = std::max(moved, std::abs(change) / (1 + std::abs(now)));
    }
    if (moved < 1e-13) break;
  }
  return step;
}

// What the quadratic model, without its curvature, says the whole step changes: below zero.
double foreseen_change(std::span<const double> w, std::span<const double> step,
                       std::span<const double> gradient) {
  double change = -l1_norm(w);
  for (std::size_t j = 0; j < w.size(); ++j)
    change += gradient[j] * step[j] + std::abs(w[j] + step[j]);
  return change;
}

// Goes along the step, half as far each time until the objective falls about as foreseen, or by
// less than `rounding` too little. False when it never does.
bool descend(Loss& loss, std::span<const double> step, double foreseen, double rounding,
             L1LogisticFit& fit) {
  const std::vector<double> from = fit.coefficients;
  std::vector<double> to(from.size());
  double length = 1;
  for (int halving = 0; halving < kMaxHalvings; ++halving, length /= 2) {
    for (std::size_t j = 0; j < from.size(); ++j) to[j] = from[j] + length * step[j];
    const double value = loss.value(to) + l1_norm(to);
    if (value > fit.objective + kDecrease * length * foreseen + rounding) continue;
    fit.coefficients = to;
    fit.objective = value;
    return true;
  }
  return false;
}

}  // namespace

void LogisticRows::add(std::span<const double> values, double label, double weight) {
  x.insert(x.end(), values.begin(), values.end());
  labels.push_back(label);
  weights.push_back(weight);
}

L1LogisticFit fit_l1_logistic(const LogisticRows& rows, double c, std::span<const double> start) {
  check(c > 0 && rows.size() > 0, "fit_l1_logistic: c > 0 and at least one row");
  L1LogisticFit fit;
  fit.coefficients.assign(rows.features, 0);
  if (!start.empty()) fit.coefficients.assign(start.begin(), start.end());
  Loss loss(rows, c);
  fit.objective = loss.value(fit.coefficients) + l1_norm(fit.coefficients);
  const double tolerance = 1e-13 * (1 + loss.scale());  // what rounding leaves of the gradient
  std::vector<double> gradient, hessian;
  for (; fit.iterations < kMaxIterations; ++fit.iterations) {
    loss.derivatives(gradient, hessian);
    fit.converged = violation(fit.coefficients, gradient) <= tolerance;
    if (fit.converged) break;
    const std::vector<double> step = newton_step(fit.coefficients, gradient, hessian);
    const double foreseen = foreseen_change(fit.coefficients, step, gradient);
    // A change that cannot be told from rounding: this step is the last.
    const double rounding = 4 * std::numeric_limits<double>::epsilon() * fit.objective;
    fit.converged = -foreseen <= rounding;
    const double sum_error = rounding * std::sqrt(static_cast<double>(rows.size()));
    if (!descend(loss, step, foreseen, fit.converged ? sum_error : 0, fit) || fit.converged) break;
  }
  return fit;
}

double sigmoid(double x) {
  const double e = std::exp(-std::abs(x));
  return (x >= 0 ? 1 : e) / (1 + e);
}

std::vector<double> log_spaced(double from, double to, int count) {
  check(count >= 2, "log_spaced: at least two values");
  std::vector<double> values;
  for (int i = 0; i < count; ++i) {
    values.push_back(std::pow(10.0, from + (to - from) * i / (count - 1)));
  }
  return values;
}

std::vector<int> equal_group_folds(std::size_t rows, int folds) {
  std::vector<int> fold(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    fold[i] = static_cast<int>((rows - 1 - i) % static_cast<std::size_t>(folds));
  }
  return fold;
}

namespace {

// The rows of one fold, or of all others.
LogisticRows part_of(const LogisticRows& rows, std::span<const int> folds, int fold, bool inside) {
  LogisticRows part;
  part.features = rows.features;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if ((folds[i] == fold) == inside) part.add(rows.row(i), rows.labels[i], rows.weights[i]);
  }
  return part;
}

double mean_loss(const LogisticRows& rows, std::span<const double> w) {
  constexpr double kLeast = 1e-15;
  double sum = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    double z = 0;
    for (std::size_t j = 0; j < rows.features; ++j) z += w[j] * rows.row(i)[j];
    const double q = std::clamp(sigmoid(z), kLeast, 1 - kLeast);
    const double p = rows.labels[i];
    sum -= rows.weights[i] * (p * std::log(q) + (1 - p) * std::log(1 - q));
  }
  return sum / static_cast<double>(rows.size());
}

}  // namespace

ChosenC choose_c(const LogisticRows& rows, std::span<const int> folds,
                 std::span<const double> candidates) {
  check(folds.size() == rows.size() && !candidates.empty(), "choose_c: a fold for every row");
  const int count = *std::max_element(folds.begin(), folds.end()) + 1;
  check(count >= 2, "choose_c: at least two folds");
  ChosenC chosen{0, std::vector<double>(candidates.size(), 0)};
  for (int fold = 0; fold < count; ++fold) {
    const LogisticRows train = part_of(rows, folds, fold, /*inside=*/false);
    const LogisticRows test = part_of(rows, folds, fold, /*inside=*/true);
    std::vector<double> start;  // the solution at one C is near that at the next
    for (std::size_t k = 0; k < candidates.size(); ++k) {
      start = fit_l1_logistic(train, candidates[k], start).coefficients;
      chosen.losses[k] += mean_loss(test, start) / count;
    }
  }
  const auto best = std::min_element(chosen.losses.begin(), chosen.losses.end());
  chosen.c = candidates[static_cast<std::size_t>(best - chosen.losses.begin())];
  return chosen;
}

}  // namespace tapir::stats
