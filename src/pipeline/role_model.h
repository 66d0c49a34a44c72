// Who teaches or judges: the model that a recipe names, with the wrappers around it (outside in:
// single flight and cache, retry, budget, limits).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/progress.h"
#include "llm/budget.h"
#include "llm/cached.h"
#include "llm/chat_model.h"
#include "llm/limits.h"
#include "llm/openai_model.h"
#include "llm/retry.h"
#include "pipeline/recipe.h"
#include "pipeline/stage_labels.h"
#include "store/run_store.h"

namespace tapir::pipeline {

// The endpoints of a role with their keys, from the environment. Error{usage} names the variable
// that is not set.
llm::OpenAiTransport transport_of(const ModelPart& part, const std::string& role);
llm::OpenAiOptions openai_options(const ModelPart& part);

// The last name of the folder of a part of kind "student".
std::string student_name_of(const ModelPart& part);

enum class RoleName { teacher, judge, auditor, candidate };
std::string_view to_string(RoleName role);

// The part of the recipe that describes the role.
const ModelPart& part_of(const Recipe& recipe, RoleName role);

// What its tokens cost, by the way it is asked.
llm::Prices prices_of(const ModelPart& part);

// The purse of a run: the recipe's caps, and what earlier sittings spent.
std::unique_ptr<llm::Budget> make_budget(const Recipe& recipe, const store::RunStore& store);

// One role's model with all wrappers. Recipe, store, budget and stage must outlive it; replies are
// booked under the stage at work. Its end waits for its requests. Thread-safe.
class RoleModel {
 public:
  // Error{usage}: see transport_of(); and when the role's kind is no model that can be asked.
  // Error{data}: a student's folder that cannot be loaded.
  // progress is told why its endpoints are slow or silent; it outlives the model too.
  RoleModel(const Recipe& recipe, RoleName role, store::RunStore& store, llm::Budget& budget,
            const StageName& stage, ProgressSink& progress);

  llm::ChatModel& model() { return labelled_; }
  // What its endpoints complained of last; empty when they did not, or there are none.
  std::string trouble() const;
  // Stops the server that was started for it (resources.<role>.command); the next request starts
  // another. REQUIRES: nothing in flight.
  void rest();
  // Requests that were put by for a batch (mode: batch) since it was made.
  std::int64_t waiting() const;

 private:
  const std::shared_ptr<llm::ChatModel> source_;  // ends last
  llm::LimitedModel limited_;
  llm::BudgetedModel budgeted_;
  llm::RetryModel retried_;
  llm::CachedModel cached_;
  LabelledModel labelled_;
};

}  // namespace tapir::pipeline
