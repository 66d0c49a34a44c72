// `tapir retry`: rows that failed for good are asked about again.
#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "pipeline/retries.h"
#include "pipeline/run.h"
#include "pipeline/status.h"

namespace tapir::pipeline {

void Run::reopen_failed() {
  const std::vector<std::string> reopened = stages_to_reopen();
  check_may_redo(reopened);
  std::string last;  // as far as the run had come
  for (const PlannedStage& planned : plan_) {
    if (store_->stage(planned.name)) last = planned.name;
  }
  if (last != plan_.back().name) options_.until = last;
  for (const std::string& name : reopened) {
    const std::size_t rows = note_retry(*store_, name);
    store_->reopen_stage(name);
    progress_.message(fmt::format("{}: {} rows are asked about again", name, rows));
  }
  if (reopened.empty()) progress_.message("no rows have failed: there is nothing to ask again");
}

std::vector<std::string> Run::stages_to_reopen() const {
  std::vector<std::string> names;
  std::vector<std::string> known;
  const auto failed = rows_to_retry(*store_);
  for (const PlannedStage& planned : plan_) {
    if (!may_ask_a_model(planned.name)) continue;
    known.push_back(planned.name);
    const bool wanted = options_.retry_stage.empty() || options_.retry_stage == planned.name;
    if (wanted && failed.contains(planned.name)) names.push_back(planned.name);
  }
  const std::string& asked = options_.retry_stage;
  if (!asked.empty() && std::find(known.begin(), known.end(), asked) == known.end()) {
    const auto near = nearest(asked, known);
    throw Error(ErrorKind::usage, "--stage: the plan has no stage " + asked + " that asks a model",
                near ? "did you mean " + *near + "?" : "stages: " + join(known, ", "));
  }
  return names;
}

std::vector<store::StageRecord> Run::begun_after(const std::string& stage) const {
  std::vector<store::StageRecord> begun;
  for (const std::string& name : dependents_of(plan_, stage)) {
    if (const auto record = store_->stage(name)) begun.push_back(*record);
  }
  return begun;
}

void Run::check_may_redo(const std::vector<std::string>& reopened) const {
  if (options_.accept_changes) return;
  std::map<std::string, store::StageRecord> later;
  for (const std::string& name : reopened) {
    for (const store::StageRecord& record : begun_after(name)) later.emplace(record.name, record);
  }
  for (const std::string& name : reopened) later.erase(name);
  if (later.empty()) return;
  std::string list;
  for (const PlannedStage& planned : plan_) {  // in the order of the run
    const auto found = later.find(planned.name);
    if (found != later.end())
      list += fmt::format("\n  {:<28} {}", planned.name, cost_of_stage(*store_, found->second));
  }
  throw Error(ErrorKind::usage,
              "where failed rows get an answer now, these stages would be done again:" + list,
              "add --accept-changes to go on: replies that are paid for are used again, and stages "
              "whose rows stay as they were are not touched");
}

void Run::settle_retry(const std::string& stage) {
  Retries retries = read_retries(*store_, stage);
  if (retries.pending.empty()) return;
  std::set<std::string> left;
  for (const auto& [row, reason] : store_->rows_to_retry(stage)) left.insert(row);
  // Every other row came from the store, as it was: nothing has changed unless these have.
  if (left != retries.pending) drop(begun_after(stage));
  progress_.message(fmt::format("{}: {} rows had failed, {} fail now", stage,
                                retries.pending.size(), left.size()));
  retries.pending.clear();
  write_retries(*store_, stage, retries);
  store_->flush();
}

}  // namespace tapir::pipeline
