// The tasks of instructions, by the classifier that a recipe names: a run's stage, and `tapir
// classify`.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/progress.h"
#include "llm/chat_model.h"
#include "pipeline/recipe.h"
#include "prompting/prompts.h"
#include "records/ledger.h"
#include "tasks/classifier.h"
#include "tasks/taxonomy.h"

namespace tapir::pipeline {

struct TaskFinder {
  const Recipe& recipe;
  const tasks::Taxonomy& taxonomy;
  const prompting::PromptSet& prompts;
  std::function<llm::ChatModel&()> teacher;  // called when one is needed
};

struct FoundTasks {
  std::map<std::string, tasks::Label> labels;  // by id; of every row when complete
  // {"classifier", "labelled"?, "fell_back"?, "agreement"?: {...}, "warning"?}
  Json info;
  Ledger labelling;  // of the rows that the teacher was asked about
  // By id, why the teacher gave no usable label: LlmLabels::unlabelled.
  std::map<std::string, std::string> unlabelled;
  bool complete = true;  // false: stopped, or transient failures left
};

// tasks.classifier given: the rows' own tasks. llm: the teacher labels every row. light: the
// teacher labels tasks.label_rows of them, a classifier learns from four fifths, is measured on the
// rest, and labels all others; with tasks.labelled it learns from that file, and nobody is asked. A
// label that stays unreadable and a task of a row that the taxonomy does not have become its
// fallback, with confidence 0; nothing is learnt from them, and nothing is measured on them.
// Error{data}: too few labelled rows; a task of tasks.labelled that is not in the taxonomy.
FoundTasks find_tasks(const TaskFinder& finder, std::span<const Instruction> rows,
                      ProgressSink& progress, std::stop_token stop);

// Rows of an instruction file with their tasks, which stand in `field`. Error{data} naming the row
// that has none.
std::vector<tasks::LabelledText> read_labelled(const std::string& file, const std::string& field);

// The rows that the teacher labels for the light classifier: the first so many of a draw by the
// seed. A smaller number gives the first of these.
std::vector<Instruction> rows_to_label(std::span<const Instruction> all, std::int64_t count,
                                       std::uint64_t seed);
// How the teacher is asked for labels.
tasks::LlmOptions label_options(const Recipe& recipe);

struct LabelledOptions {
  double held_out = 0.2;  // share of the labelled rows that the classifier is measured on; 0: none
  std::uint64_t seed = 42;
};
// By a light classifier that learns from rows with tasks, whatever their tasks are; measured on a
// part of them held out, then trained on all. Asks nobody. Error{data}: fewer than two labelled
// rows.
FoundTasks find_tasks_as(std::span<const tasks::LabelledText> labelled,
                         std::span<const Instruction> rows, const LabelledOptions& options);

// {"rows", "accuracy", "expected_calibration_error", "confusion"}
Json agreement_json(const tasks::Agreement& agreement);

}  // namespace tapir::pipeline
