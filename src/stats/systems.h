// Whether several systems that were measured on the same items differ at all. Pure functions.
#pragma once

#include <vector>

#include "base/random.h"

namespace tapir::stats {

// values[system][item]; a system is judged by the sum over its items, so values are divided by
// their number where it should be the mean.
struct SystemsTest {
  double sd = 0;  // of the systems' sums, divisor systems - 1
  // What it would be (root of the mean square) were it chance, item by item, which system got which
  // of the item's values: the sampling of items alone.
  double sd_by_chance = 0;
  // (sd / sd_by_chance)^2 (systems - 1): about chi-square of systems - 1 degrees under that
  // hypothesis, with many items. Of right and wrong it is Cochran's Q, of ranks Friedman's.
  double q = 0;
  // Of the hypothesis, by drawn permutations within items: (hits + 1) / (permutations + 1). Of two
  // systems the sign-flip test, exact where that is. 1 when no item tells the systems apart.
  double p = 1;
};

struct SystemsTestOptions {
  int permutations = 10000;
};

// REQUIRES: at least two systems, each with the same number of items.
SystemsTest compare_systems(const std::vector<std::vector<double>>& values, RandomStream& stream,
                            const SystemsTestOptions& options = {});

}  // namespace tapir::stats
