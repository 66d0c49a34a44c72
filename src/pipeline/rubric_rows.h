// Rubrics of data files, and what judging by them found.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "dataset/read_instructions.h"
#include "difficulty/rubric_judge.h"
#include "pipeline/recipe.h"

namespace tapir::pipeline {

// Of rows that were read with their fields (rubric/read_rubric.h); rows without requirements are
// left out. Error{data} with the row's place.
difficulty::Rubrics rubrics_of(const std::vector<dataset::DataRow>& rows);

// Of the recipe's data. Error{data} also when not one row has requirements.
difficulty::Rubrics read_rubrics(const Recipe& recipe);

// [{"kind", "components", "teacher", "student", "gap", "teacher_only"}]: shares of the components
// of a kind that each of the two met, the greatest gap first.
Json component_figures(const std::map<std::string, difficulty::ComponentDifficulty>& by_kind);
std::string component_figures_text(const Json& figures);

}  // namespace tapir::pipeline
