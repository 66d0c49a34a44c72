#include "pipeline/find_tasks.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/random.h"
#include "base/strings.h"
#include "dataset/read_instructions.h"
#include "pipeline/doctor.h"
#include "pipeline/options.h"

namespace tapir::pipeline {
namespace {

constexpr double kHeldOutShare = 0.2;  // of the labelled rows: the classifier's own exam

struct LabelledSplit {
  std::vector<tasks::LabelledText> train;
  std::vector<tasks::LabelledText> held_out;
};

// Only what the teacher said: a row that fell back has no label to learn from.
LabelledSplit split_labelled(const std::vector<Instruction>& rows, const tasks::LlmLabels& labels) {
  LabelledSplit out;
  const auto held = static_cast<std::size_t>(kHeldOutShare * static_cast<double>(rows.size()));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto found = labels.task_of.find(rows[i].id);
    if (found == labels.task_of.end() || labels.unlabelled.contains(rows[i].id)) continue;
    (i < held ? out.held_out : out.train).push_back({rows[i].id, rows[i].prompt(), found->second});
  }
  return out;
}

bool all_of_one_task(const std::vector<tasks::LabelledText>& rows) {
  return std::all_of(rows.begin(), rows.end(),
                     [&](const auto& row) { return row.task == rows.front().task; });
}

FoundTasks given_tasks(const tasks::Taxonomy& taxonomy, std::span<const Instruction> rows) {
  FoundTasks found;
  for (const Instruction& row : rows) {
    const bool known = taxonomy.find(row.task) != nullptr;
    found.labels[row.id] = {known ? row.task : taxonomy.fallback, known ? 1.0 : 0.0};
  }
  return found;
}

// By a classifier that learns from tasks.labelled, whose tasks have to be the taxonomy's.
FoundTasks tasks_as_labelled(const TaskFinder& finder, std::span<const Instruction> rows) {
  const Recipe& recipe = finder.recipe;
  const auto labelled =
      read_labelled(resolve_path(recipe, recipe.tasks.labelled).string(), recipe.tasks.label_field);
  for (const tasks::LabelledText& row : labelled) {
    if (finder.taxonomy.find(row.task) != nullptr) continue;
    throw Error(ErrorKind::data,
                recipe.tasks.labelled + ": the task \"" + row.task +
                    "\" is not in the taxonomy \"" + finder.taxonomy.name + "\"",
                "its tasks: " + join(finder.taxonomy.names(), ", "));
  }
  FoundTasks found = find_tasks_as(labelled, rows, {kHeldOutShare, recipe.seed});
  found.info["taxonomy"] = finder.taxonomy.name;
  return found;
}

std::unique_ptr<tasks::TaskClassifier> learn(const std::vector<Instruction>& rows,
                                             const tasks::LlmLabels& labels, std::uint64_t seed,
                                             Json& info) {
  const LabelledSplit split = split_labelled(rows, labels);
  if (split.train.empty() || split.held_out.empty()) {
    throw Error(ErrorKind::data,
                fmt::format("too few labelled rows to train a classifier: the teacher was asked "
                            "about {}, {} of its labels could be used",
                            rows.size(), split.train.size() + split.held_out.size()),
                labels.unlabelled.empty()
                    ? "raise tasks.label_rows, or set tasks.classifier: llm"
                    : "does the teacher know the taxonomy's tasks? The replies are in the store; "
                      "teacher.max_tokens may cut them");
  }
  auto classifier = tasks::train_light(split.train, {.seed = seed});
  if (all_of_one_task(split.train)) {
    // Agreement with one label says nothing.
    info["warning"] = fmt::format(
        "the teacher gave all {} rows the task {}: there is nothing to "
        "tell apart",
        split.train.size(), split.train.front().task);
    return classifier;
  }
  info["agreement"] = agreement_json(tasks::agreement(*classifier, split.held_out));
  return classifier;
}

}  // namespace

std::vector<Instruction> rows_to_label(std::span<const Instruction> all, std::int64_t count,
                                       std::uint64_t seed) {
  std::vector<Instruction> rows(all.begin(), all.end());
  RandomStream(seed, "tasks").shuffle(rows);
  rows.resize(std::min<std::size_t>(rows.size(), static_cast<std::size_t>(count)));
  return rows;
}

tasks::LlmOptions label_options(const Recipe& recipe) {
  tasks::LlmOptions options;
  options.sampling.max_tokens = static_cast<int>(recipe.teacher.max_tokens);
  options.max_in_flight = in_flight(recipe.teacher);
  return options;
}

Json agreement_json(const tasks::Agreement& agreement) {
  return {{"rows", agreement.rows},
          {"accuracy", agreement.accuracy},
          {"expected_calibration_error", agreement.expected_calibration_error},
          {"confusion", agreement.confusion}};
}

std::vector<tasks::LabelledText> read_labelled(const std::string& file, const std::string& field) {
  std::vector<tasks::LabelledText> labelled;
  for (const dataset::DataRow& row :
       dataset::read_instructions({std::filesystem::path(file)}, {.keep_fields = true})) {
    const auto task = json_get_or<std::string>(row.fields, field, "", row.where);
    if (task.empty()) {
      throw Error(ErrorKind::data, row.where + ": a labelled row without \"" + field + "\"",
                  "give every labelled row its task, or leave the row out; tasks.label_field names "
                  "another field");
    }
    labelled.push_back({row.instruction.id, row.instruction.prompt(), task});
  }
  return labelled;
}

FoundTasks find_tasks(const TaskFinder& finder, std::span<const Instruction> rows,
                      ProgressSink& progress, std::stop_token stop) {
  const Recipe& recipe = finder.recipe;
  const Json base = {{"classifier", recipe.tasks.classifier}, {"taxonomy", finder.taxonomy.name}};
  if (recipe.tasks.classifier == "given") {
    FoundTasks found = given_tasks(finder.taxonomy, rows);
    found.info = base;
    return found;
  }
  if (!recipe.tasks.labelled.empty()) return tasks_as_labelled(finder, rows);
  const bool light = recipe.tasks.classifier == "light";
  const std::vector<Instruction> asked =
      light ? rows_to_label(rows, recipe.tasks.label_rows, recipe.seed)
            : std::vector<Instruction>(rows.begin(), rows.end());
  const tasks::LlmLabels labels =
      tasks::label_by_llm(finder.teacher(), finder.prompts, finder.taxonomy, asked,
                          label_options(recipe), progress, stop);
  FoundTasks found;
  found.info = base;
  found.info["labelled"] = labels.task_of.size();
  found.info["fell_back"] = labels.fell_back;
  found.labelling = labels.ledger;
  found.unlabelled = labels.unlabelled;
  found.complete = labels.complete;
  if (!labels.complete) return found;
  std::unique_ptr<tasks::TaskClassifier> classifier;
  if (light) classifier = learn(asked, labels, recipe.seed, found.info);
  for (const Instruction& row : rows) {
    const auto label = labels.task_of.find(row.id);
    if (label != labels.task_of.end()) {
      found.labels[row.id] = {label->second, labels.unlabelled.contains(row.id) ? 0.0 : 1.0};
    } else {
      found.labels[row.id] = classifier ? classifier->classify(row.prompt())
                                        : tasks::Label{finder.taxonomy.fallback, 0};
    }
  }
  return found;
}

FoundTasks find_tasks_as(std::span<const tasks::LabelledText> labelled,
                         std::span<const Instruction> rows, const LabelledOptions& options) {
  if (labelled.size() < 2) {
    throw Error(ErrorKind::data,
                "expected labelled rows to learn from, found " + std::to_string(labelled.size()),
                "rows need \"task\"");
  }
  FoundTasks found;
  found.info = {{"classifier", "light"}, {"labelled", labelled.size()}};
  const tasks::LightOptions light{.seed = options.seed};
  const auto held =
      static_cast<std::size_t>(options.held_out * static_cast<double>(labelled.size()));
  std::vector<tasks::LabelledText> order(labelled.begin(), labelled.end());
  if (held > 0 && !all_of_one_task(order)) {
    RandomStream(options.seed, "tasks/held-out").shuffle(order);
    const auto classifier = tasks::train_light(std::span(order).subspan(held), light);
    found.info["agreement"] =
        agreement_json(tasks::agreement(*classifier, std::span(order).first(held)));
  }
  const auto classifier = tasks::train_light(labelled, light);
  for (const Instruction& row : rows) found.labels[row.id] = classifier->classify(row.prompt());
  return found;
}

}  // namespace tapir::pipeline
