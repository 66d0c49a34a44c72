#include "pipeline/evaluation_sets.h"

#include <array>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "dataset/read_instructions.h"
#include "pipeline/doctor.h"
#include "pipeline/gym_binding.h"

namespace tapir::pipeline {
namespace {

using evaluate::SetKind;

constexpr std::array<SetKind, 3> kKinds = {SetKind::general, SetKind::instruction, SetKind::safety};

const std::vector<std::string>& files_of(const Recipe& recipe, SetKind kind) {
  if (kind == SetKind::general) return recipe.sets.general;
  return kind == SetKind::instruction ? recipe.sets.instruction : recipe.sets.safety;
}

std::optional<SetKind> kind_named(std::string_view name) {
  for (const SetKind kind : kKinds) {
    if (to_string(kind) == name) return kind;
  }
  return std::nullopt;
}

// Which answer an exam row is, in the terms of the score matrix; nothing: of a set that only some
// students sit.
std::optional<SetKind> kind_of(const store::ExamRow& row, std::string_view main_set) {
  if (const auto named = kind_named(row.set)) return named;
  if (row.set == main_set) return SetKind::own;
  if (row.set == store::kHeldOutSet) return SetKind::part;  // beside the gym's
  return std::nullopt;
}

}  // namespace

std::vector<std::filesystem::path> evaluation_set_files(const Recipe& recipe) {
  std::vector<std::filesystem::path> files;
  for (const SetKind kind : kKinds) {
    for (const std::string& file : files_of(recipe, kind))
      files.push_back(resolve_path(recipe, file));
  }
  return files;
}

std::vector<EvaluationRow> read_evaluation_sets(const Recipe& recipe) {
  std::vector<EvaluationRow> rows;
  for (const SetKind kind : kKinds) {
    std::set<std::string> names;
    for (const std::string& file : files_of(recipe, kind)) {
      std::set<std::string> of_this;
      for (dataset::DataRow& row : dataset::read_instructions(resolve_path(recipe, file))) {
        Instruction& instruction = row.instruction;
        if (names.contains(instruction.source)) {
          throw Error(ErrorKind::data,
                      fmt::format("evaluate.sets.{}: two files are called {}", to_string(kind),
                                  instruction.source),
                      "a set has the name of its file: rename one of them");
        }
        of_this.insert(instruction.source);
        instruction.id =
            fmt::format("{}/{}/{}", to_string(kind), instruction.source, instruction.id);
        instruction.task = instruction.source;
        instruction.round = kOutsideD;
        rows.push_back({std::move(instruction), kind, std::move(row.response)});
      }
      names.merge(of_this);
    }
  }
  return rows;
}

evaluate::Sitting sitting_of(const std::vector<store::ExamRow>& rows,
                             const std::map<std::string, std::string>& source_of) {
  const std::string_view main_set = store::main_exam_set(rows);
  std::set<std::string> sources;
  for (const auto& [id, source] : source_of) sources.insert(source);
  evaluate::Sitting sitting;
  for (const store::ExamRow& row : rows) {
    const auto kind = kind_of(row, main_set);
    if (!kind) continue;
    sitting.push_back({row.family, *kind, row.item_id, row.correct, row.score});
    if (row.set != store::kHeldOutSet || sources.size() < 2) continue;
    sitting.push_back(
        {source_of.at(row.item_id), SetKind::part, row.item_id, row.correct, row.score});
  }
  return sitting;
}

}  // namespace tapir::pipeline
