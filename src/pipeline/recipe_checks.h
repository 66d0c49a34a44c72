// What one key of a recipe alone cannot know. Internal to the pipeline.
#pragma once

#include <string>

#include "pipeline/recipe.h"

namespace tapir::pipeline {

// Endpoints, prices and rules of those who teach and judge. `where` names the recipe. Error{usage}.
void check_roles(const Recipe& recipe, const std::string& where);

// The gym's teacher composes no layered instructions. Error{usage}.
void check_layers(const Recipe& recipe, const std::string& where);

// All of a whole run, the roles too. Error{usage}.
void check_together(const Recipe& recipe, const std::string& where);

}  // namespace tapir::pipeline
