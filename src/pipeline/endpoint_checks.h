// The endpoints of a recipe, looked at before anything is spent: for `tapir validate` and `tapir
// doctor --recipe`.
#pragma once

#include <vector>

#include "pipeline/doctor.h"
#include "pipeline/recipe.h"

namespace tapir::pipeline {

// Keys, reachability and the names of models, for every endpoint of teacher and judge (GET /models:
// costs nothing). ask: also one request of a few tokens to each. Without endpoints: nothing.
std::vector<Check> check_endpoints(const Recipe& recipe, bool ask);

}  // namespace tapir::pipeline
