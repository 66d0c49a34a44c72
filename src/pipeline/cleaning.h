// A recipe's words on what may be trained on: cleaning, evaluation sets, novelty. Internal to the
// pipeline.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "dataset/clean.h"
#include "dataset/contamination.h"
#include "pipeline/recipe.h"
#include "teach/novelty.h"

namespace tapir::pipeline {

dataset::CleanOptions clean_options(const Recipe& recipe);

// Of data.decontaminate_against; null when it names nothing.
std::shared_ptr<const dataset::EvaluationIndex> evaluation_index(const Recipe& recipe);

// Of the gym's items by their canonical prompts, of everything else by its text. Knows nothing yet.
std::unique_ptr<teach::Novelty> novelty_of(const Recipe& recipe);

// Of data.licenses, by the name of the file alone. Error{usage} for an entry that is not "FILE:
// LICENCE".
std::map<std::string, std::string> licenses_of(const Recipe& recipe);

}  // namespace tapir::pipeline
