// Whole rows spread over tasks in proportion to weights, none above its cap. Inside this folder
// only.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace tapir::curriculum {

// Sum of the result: min(sum, sum of caps). A task without a cap gets nothing. What saturated tasks
// cannot take goes to the others in proportion to their weights.
std::map<std::string, std::int64_t> spread(std::int64_t sum,
                                           const std::map<std::string, double>& weights,
                                           const std::map<std::string, std::int64_t>& caps);

}  // namespace tapir::curriculum
