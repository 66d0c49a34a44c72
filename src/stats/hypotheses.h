// What several comparisons together show, whether two systems are equally good, and how many items
// it takes to tell. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stats/estimates.h"

namespace tapir::stats {

// p-values of a family of comparisons, adjusted by Holm's step-down rule, in the order given: what
// is below alpha may be claimed with an error of at most alpha for all claims together.
// REQUIRES: every p in [0, 1].
std::vector<double> holm(std::span<const double> p);

// Two one-sided t tests (Schuirmann 1987): a difference that lies in (low, high) for sure enough.
struct Equivalence {
  double p_low = 1;   // of "the difference is not above low"
  double p_high = 1;  // of "the difference is not below high"
  double p() const { return p_low > p_high ? p_low : p_high; }
};
// REQUIRES: low < high.
Equivalence equivalence(const Estimate& difference, double low, double high);

struct PowerOptions {
  double alpha = 0.05;  // two-sided
  double power = 0.8;   // chance to see a difference that is there
};

// Smallest true difference that a comparison with this standard error shows with that power (normal
// approximation). REQUIRES: 0 < alpha < power < 1.
double smallest_difference(double standard_error, const PowerOptions& options = {});

// Items that show such a difference when the differences of single items have this standard
// deviation. REQUIRES: difference > 0, sd >= 0, and as above. At least 1.
std::int64_t items_needed(double sd, double difference, const PowerOptions& options = {});

}  // namespace tapir::stats
