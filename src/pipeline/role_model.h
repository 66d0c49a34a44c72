// Who teaches or judges: the model that a recipe names, with the wrappers around it (outside in:
// single flight and cache, retry, budget, limits).
#pragma once

#include <memory>
#include <string>

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

// The teacher or the judge without wrappers. Error{usage}: see transport_of().
std::unique_ptr<llm::ChatModel> make_teacher(const Recipe& recipe);
std::unique_ptr<llm::ChatModel> make_judge(const Recipe& recipe);

// A source with all wrappers. What it is given must outlive it. Thread-safe.
class RoleModel {
 public:
  struct Around {
    store::RunStore& store;
    llm::Budget& budget;
    const StageName& stage;
    bool book_always = false;  // also what costs nothing
  };
  // role: "teacher", "judge": for the accounts.
  RoleModel(std::unique_ptr<llm::ChatModel> source, const ModelPart& part, const std::string& role,
            const Around& around);

  llm::ChatModel& model() { return labelled_; }
  // What its endpoints complained of last; empty when they did not, or there are none.
  std::string trouble() const;

 private:
  const std::unique_ptr<llm::ChatModel> source_;  // ends last
  llm::LimitedModel limited_;
  llm::BudgetedModel budgeted_;
  llm::RetryModel retried_;
  llm::CachedModel cached_;
  LabelledModel labelled_;
};

}  // namespace tapir::pipeline
