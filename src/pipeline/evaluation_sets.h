// Sets beside the data that show what the rounds broke (evaluate.sets): abilities they do not
// teach, other instructions, requests to be refused. Every student answers them. Internal to the
// pipeline.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evaluate/forgetting.h"
#include "pipeline/recipe.h"
#include "records/instruction.h"
#include "store/run_store.h"

namespace tapir::pipeline {

struct EvaluationRow {
  // The id is "<kind>/<file>/<the row's own>", so that no row of the data has it; source and task:
  // the file's name, which names the set.
  Instruction instruction;
  evaluate::SetKind kind = evaluate::SetKind::general;
  std::optional<std::string> answer;  // the recorded one; of safety rows not needed
};

// In the order of kinds, files and rows. Error{data} as read_instructions(), and for two files of
// one name in a kind.
std::vector<EvaluationRow> read_evaluation_sets(const Recipe& recipe);

std::vector<std::filesystem::path> evaluation_set_files(const Recipe& recipe);

// What a student's exam says of every set: families of the gym's even set, held-out rows by task
// and, where they came from several files (source_of: by row), by file; the sets of the recipe.
evaluate::Sitting sitting_of(const std::vector<store::ExamRow>& rows,
                             const std::map<std::string, std::string>& source_of);

}  // namespace tapir::pipeline
