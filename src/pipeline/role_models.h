// Who teaches and who judges, as a recipe says, with the wrappers around them: cache, retry,
// budget, endpoint. A run and the file commands make them here.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "llm/budget.h"
#include "llm/chat_model.h"
#include "pipeline/recipe.h"
#include "pipeline/stage_labels.h"
#include "store/run_store.h"

namespace tapir::pipeline {

enum class RoleName { teacher, judge, auditor };
std::string_view to_string(RoleName role);

// One role's model and what it stands on. Its end waits for its requests.
class RoleModel {
 public:
  // Recipe, store, budget and stage must outlive it; replies are booked under the stage at work.
  // Error{usage} when the role's kind is no model that can be asked.
  RoleModel(const Recipe& recipe, RoleName role, store::RunStore& store, llm::Budget& budget,
            const StageName& stage);
  ~RoleModel();
  RoleModel(RoleModel&&) noexcept = default;
  RoleModel& operator=(RoleModel&&) = delete;

  llm::ChatModel& model() { return *layers_.back(); }

 private:
  std::vector<std::unique_ptr<llm::ChatModel>> layers_;  // the outermost last
};

// The part of the recipe that describes the role.
const ModelPart& part_of(const Recipe& recipe, RoleName role);

// The purse of a run: the recipe's caps, and what earlier sittings spent.
std::unique_ptr<llm::Budget> make_budget(const Recipe& recipe, const store::RunStore& store);

}  // namespace tapir::pipeline
