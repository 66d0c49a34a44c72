// `tapir doctor` and `tapir validate`: is everything there, before anything is spent.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "pipeline/recipe.h"
#include "student/student.h"

namespace tapir::pipeline {

struct Check {
  std::string what;
  bool ok = true;
  std::string found;
  std::string hint;
};
// Machine: CPU features, threads, memory, engine; with a model folder: loads it, tokenizes, answers
// one prompt; with a dump of it by scripts/dump_model.py: compares (pipeline/doctor_dump.h).
std::vector<Check> doctor(const student::StudentEngine& engine, const std::filesystem::path& model,
                          const std::filesystem::path& dump = {});

// Recipe: files, student folder, taxonomy, prompts; warnings of the method (no replay: students
// forget).
std::vector<Check> validate(const Recipe& recipe, const student::StudentEngine& engine);

std::string checks_text(const std::vector<Check>& checks);
Json checks_json(const std::vector<Check>& checks);

// Where a file, folder or data set ("DIR/dataset_info.json:NAME") named in a recipe lies: as it is,
// beside the recipe, one above, or in the installed share folder. Error{data} names every place
// that was looked at.
std::filesystem::path resolve_path(const Recipe& recipe, const std::string& path);
// data.instructions.
std::vector<std::filesystem::path> instruction_files(const Recipe& recipe);

}  // namespace tapir::pipeline
