#include "pipeline/role_models.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "gym/models.h"
#include "llm/cached.h"
#include "llm/recorded.h"
#include "llm/retry.h"

namespace tapir::pipeline {
namespace {

llm::Prices prices_of(const ModelPart& part) {
  llm::Prices prices{std::max(0.0, part.price_input), std::max(0.0, part.price_output), {}};
  if (part.price_cached_input >= 0) prices.cached_input = part.price_cached_input;
  return prices;
}

std::unique_ptr<llm::ChatModel> gym_model(const Recipe& recipe, RoleName role) {
  if (role == RoleName::teacher) {
    const auto& t = recipe.teacher_gym;
    return gym::make_teacher({t.error_rate, t.evolve_share, t.mutate_share, recipe.seed});
  }
  if (role == RoleName::auditor) return gym::make_judge({.seed = recipe.seed});  // exact
  const auto& j = recipe.judge_gym;
  return gym::make_judge({j.noise, j.position_bias, j.length_bias, j.malformed_rate, recipe.seed});
}

// What stands innermost.
std::unique_ptr<llm::ChatModel> endpoint_of(const Recipe& recipe, RoleName role) {
  const std::string& kind = part_of(recipe, role).kind;
  if (kind == "gym") return gym_model(recipe, role);
  // A recorded teacher is never asked: the recipe is refused where it would have to be.
  if (kind == "recorded") {
    return std::make_unique<llm::RecordedModel>(std::map<std::string, std::string>{},
                                                llm::RecordedBy::prompt);
  }
  throw Error(ErrorKind::usage,
              std::string(to_string(role)) + ".kind: " + kind + " is no model that can be asked");
}

}  // namespace

std::string_view to_string(RoleName role) {
  switch (role) {
    case RoleName::teacher:
      return "teacher";
    case RoleName::judge:
      return "judge";
    case RoleName::auditor:
      return "auditor";
  }
  return "";
}

const ModelPart& part_of(const Recipe& recipe, RoleName role) {
  switch (role) {
    case RoleName::teacher:
      return recipe.teacher;
    case RoleName::judge:
      return recipe.judge;
    case RoleName::auditor:
      break;
  }
  return recipe.auditor;
}

RoleModel::RoleModel(const Recipe& recipe, RoleName role, store::RunStore& store,
                     llm::Budget& budget, const StageName& stage) {
  const ModelPart& part = part_of(recipe, role);
  layers_.push_back(endpoint_of(recipe, role));
  layers_.push_back(std::make_unique<llm::BudgetedModel>(*layers_.back(), budget, prices_of(part)));
  layers_.push_back(std::make_unique<llm::RetryModel>(*layers_.back(), llm::RetryOptions{}));
  const llm::CacheOptions cache{.book_before_send =
                                    !is_free(part) || recipe.budget.book_requests == "always"};
  layers_.push_back(std::make_unique<llm::CachedModel>(*layers_.back(), store,
                                                       std::string(to_string(role)), cache));
  layers_.push_back(std::make_unique<LabelledModel>(*layers_.back(), stage));
}

RoleModel::~RoleModel() {
  while (!layers_.empty()) layers_.pop_back();  // outermost first: each waits for its requests
}

std::unique_ptr<llm::Budget> make_budget(const Recipe& recipe, const store::RunStore& store) {
  llm::Caps caps;
  if (recipe.budget.max_usd > 0) caps.max_usd = recipe.budget.max_usd;
  if (recipe.budget.max_tokens > 0) caps.max_tokens = recipe.budget.max_tokens;
  llm::Amount spent;
  for (const store::UsageRow& row : store.usage()) {
    spent.picodollars += std::llround(row.usd * 1e12);
    spent.tokens += row.prompt_tokens + row.completion_tokens;
  }
  return std::make_unique<llm::Budget>(caps, spent);
}

}  // namespace tapir::pipeline
