// Distribution functions and their inverses, as far as the intervals of this folder need them.
#pragma once

namespace tapir::stats {

double normal_cdf(double x);
// REQUIRES: 0 < p < 1. Absolute error below 1e-13 for p in [1e-10, 1 - 1e-10].
double normal_quantile(double p);

// I_x(a, b). REQUIRES: a > 0, b > 0, 0 <= x <= 1.
double incomplete_beta(double a, double b, double x);

// Student's t with `degrees` > 0 degrees of freedom (need not be whole).
double student_t_cdf(double t, double degrees);
double student_t_quantile(double p, double degrees);  // REQUIRES: 0 < p < 1

}  // namespace tapir::stats
