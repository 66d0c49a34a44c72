#include "pipeline/role_model.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "base/secret.h"
#include "gym/models.h"
#include "llm/recorded.h"

namespace tapir::pipeline {
namespace {

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(1000 * seconds));
}

llm::Prices prices_of(const ModelPart& part) {
  llm::Prices prices{std::max(0.0, part.price_input), std::max(0.0, part.price_output), {}};
  if (part.price_cached_input >= 0) prices.cached_input = part.price_cached_input;
  return prices;
}

llm::RetryOptions retry_options(const ModelPart& part) {
  llm::RetryOptions options;
  options.max_attempts = static_cast<int>(part.max_retries) + 1;
  options.first_delay = milliseconds(part.retry_delay);
  return options;
}

llm::CacheOptions cache_options(const ModelPart& part, bool book_always) {
  return {.book_before_send = part.kind == "openai" || book_always};
}

std::unique_ptr<llm::ChatModel> make_openai(const ModelPart& part, const std::string& role) {
  return std::make_unique<llm::OpenAiModel>(openai_options(part), transport_of(part, role));
}

}  // namespace

llm::OpenAiTransport transport_of(const ModelPart& part, const std::string& role) {
  llm::OpenAiTransport transport;
  for (const EndpointPart& endpoint : part.endpoints) {
    const std::string where =
        fmt::format("{}.endpoints[{}].api_key_env", role, transport.endpoints.size());
    const auto own_or_role = [](double own, double of_role) { return own >= 0 ? own : of_role; };
    transport.endpoints.push_back(
        {endpoint.base_url,
         secret_from_environment(endpoint.api_key_env, where),
         {own_or_role(endpoint.requests_per_minute, part.requests_per_minute),
          own_or_role(endpoint.tokens_per_minute, part.tokens_per_minute)}});
  }
  transport.deadlines = {milliseconds(part.connect_timeout), milliseconds(part.first_byte_timeout),
                         milliseconds(part.request_timeout)};
  transport.pool.most_in_flight = static_cast<std::size_t>(part.max_concurrent_requests);
  transport.pool.patience = milliseconds(part.outage_timeout);
  transport.pool.first_patience = std::min(transport.pool.patience, transport.pool.first_patience);
  return transport;
}

llm::OpenAiOptions openai_options(const ModelPart& part) {
  return {part.model, part.revision, part.extra_body};
}

// A recorded teacher is never asked: the recipe is refused where it would have to be.
std::unique_ptr<llm::ChatModel> make_teacher(const Recipe& recipe) {
  const auto& gym = recipe.teacher_gym;
  if (recipe.teacher.kind == "openai") return make_openai(recipe.teacher, "teacher");
  if (recipe.teacher.kind == "gym") {
    return gym::make_teacher({gym.error_rate, gym.evolve_share, gym.mutate_share, recipe.seed});
  }
  return std::make_unique<llm::RecordedModel>(std::map<std::string, std::string>{},
                                              llm::RecordedBy::prompt);
}

std::unique_ptr<llm::ChatModel> make_judge(const Recipe& recipe) {
  const auto& gym = recipe.judge_gym;
  if (recipe.judge.kind == "openai") return make_openai(recipe.judge, "judge");
  return gym::make_judge(
      {gym.noise, gym.position_bias, gym.length_bias, gym.malformed_rate, recipe.seed});
}

RoleModel::RoleModel(std::unique_ptr<llm::ChatModel> source, const ModelPart& part,
                     const std::string& role, const Around& around)
    : source_(std::move(source)),
      limited_(*source_, {static_cast<std::size_t>(part.max_concurrent_requests)}),
      budgeted_(limited_, around.budget, prices_of(part)),
      retried_(budgeted_, retry_options(part)),
      cached_(retried_, around.store, role, cache_options(part, around.book_always)),
      labelled_(cached_, around.stage) {}

std::string RoleModel::trouble() const {
  const auto* remote = dynamic_cast<const llm::OpenAiModel*>(source_.get());
  return remote == nullptr ? std::string() : remote->trouble();
}

}  // namespace tapir::pipeline
