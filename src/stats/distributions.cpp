#include "stats/distributions.h"

#include <cmath>
#include <limits>

#include "base/error.h"

namespace tapir::stats {
namespace {

// log of the gamma function for x > 0, without the global sign variable that makes std::lgamma a
// data race. Stirling's series after lifting x above 10.
double log_gamma(double x) {
  double shift = 0;
  while (x < 10) {
    shift += std::log(x);
    x += 1;
  }
  const double inverse = 1 / x;
  const double square = inverse * inverse;
  const double series =
      inverse *
      (1.0 / 12 -
       square * (1.0 / 360 - square * (1.0 / 1260 - square * (1.0 / 1680 - square / 1188))));
  const double half_log_two_pi = 0.91893853320467274178;
  return (x - 0.5) * std::log(x) - x + half_log_two_pi + series - shift;
}

// The continued fraction of the incomplete beta function by Lentz's method.
double beta_fraction(double a, double b, double x) {
  const double tiny = 1e-300;
  const auto away_from_zero = [&](double v) { return std::fabs(v) < tiny ? tiny : v; };
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double fraction = d;
  for (int m = 1; m <= 10000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    fraction *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    fraction *= d * c;
    if (std::fabs(d * c - 1) < 1e-16) break;
  }
  return fraction;
}

}  // namespace

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

double normal_quantile(double p) {
  check(p > 0 && p < 1, "normal_quantile: p must lie between 0 and 1");
  if (p > 0.5) return -normal_quantile(1 - p);
  // A start by the first terms of the tail expansion, then Newton steps on log(cdf), which is
  // concave: they converge from any start.
  double x = p > 0.02 ? (p - 0.5) * 2.5066282746310002 : -std::sqrt(-2 * std::log(p));
  for (int step = 0; step < 50; ++step) {
    const double cdf = normal_cdf(x);
    const double density = std::exp(-0.5 * x * x) / 2.5066282746310002;
    const double change = (std::log(cdf) - std::log(p)) * cdf / density;
    x -= change;
    if (std::fabs(change) < 1e-15 * (1 + std::fabs(x))) break;
  }
  return x;
}

double incomplete_beta(double a, double b, double x) {
  check(a > 0 && b > 0 && x >= 0 && x <= 1, "incomplete_beta: a, b > 0 and 0 <= x <= 1");
  if (x == 0 || x == 1) return x;
  const double log_front =
      log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * std::log(x) + b * std::log1p(-x);
  // The fraction converges fast on the near side of the mean only; the other side by symmetry.
  if (x < (a + 1) / (a + b + 2)) return std::exp(log_front) * beta_fraction(a, b, x) / a;
  return 1 - std::exp(log_front) * beta_fraction(b, a, 1 - x) / b;
}

double student_t_cdf(double t, double degrees) {
  check(degrees > 0, "student_t_cdf: degrees of freedom must be positive");
  const double tail = 0.5 * incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t));
  return t > 0 ? 1 - tail : tail;
}

double student_t_quantile(double p, double degrees) {
  check(p > 0 && p < 1, "student_t_quantile: p must lie between 0 and 1");
  if (p == 0.5) return 0;
  if (p > 0.5) return -student_t_quantile(1 - p, degrees);
  double low = -1;
  while (student_t_cdf(low, degrees) > p && low > -1e300) low *= 2;
  double high = 0;
  for (int step = 0; step < 200 && high - low > 1e-15 * std::fabs(low); ++step) {
    const double middle = low + (high - low) / 2;
    (student_t_cdf(middle, degrees) > p ? high : low) = middle;
  }
  return low + (high - low) / 2;
}

}  // namespace tapir::stats
