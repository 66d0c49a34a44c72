#include "pipeline/role_model.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "backends/served_model.h"
#include "base/error.h"
#include "base/secret.h"
#include "gym/models.h"
#include "llm/batch_model.h"
#include "llm/recorded.h"
#include "pipeline/batch_files.h"
#include "pipeline/doctor.h"
#include "pipeline/timeline.h"
#include "student/student_chat_model.h"
#include "student/student_folder.h"

namespace tapir::pipeline {
namespace {

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(1000 * seconds));
}

llm::RetryOptions retry_options(const ModelPart& part) {
  llm::RetryOptions options;
  options.max_attempts = static_cast<int>(part.max_retries) + 1;
  options.first_delay = milliseconds(part.retry_delay);
  return options;
}

std::unique_ptr<llm::ChatModel> gym_model(const Recipe& recipe, RoleName role) {
  if (role == RoleName::teacher || role == RoleName::candidate) {
    const auto& t = recipe.teacher_gym;
    return gym::make_teacher({t.error_rate, t.evolve_share, t.mutate_share, recipe.seed});
  }
  if (role == RoleName::auditor) return gym::make_judge({.seed = recipe.seed});  // exact
  const auto& j = recipe.judge_gym;
  return gym::make_judge({j.noise, j.position_bias, j.length_bias, j.malformed_rate, recipe.seed});
}

// Stages in which the role has answered, in earlier sittings too.
std::set<std::string> answered_stages(const store::RunStore& store, const std::string& role) {
  std::set<std::string> stages;
  for (const store::UsageRow& row : store.usage()) {
    if (row.role == role && row.replies > row.failed) stages.insert(row.stage);
  }
  return stages;
}

// Its identity holds its digest: replies are kept under it.
std::shared_ptr<llm::ChatModel> student_model(const Recipe& recipe, const ModelPart& part) {
  const std::filesystem::path folder = resolve_path(recipe, part.model);
  student::StudentChatOptions options;
  options.name = student_name_of(part) + "@" + student::student_digest(folder).substr(0, 16);
  return student::make_student_chat_model(folder, options);
}

// Started by its command, when it is asked.
std::shared_ptr<llm::ChatModel> served_model(const ServerPart& server, const ModelPart& part,
                                             llm::OpenAiTransport transport,
                                             const std::filesystem::path& logs,
                                             ProgressSink& progress, const std::string& role) {
  backends::ServedModelOptions options;
  options.server.command = server.command;
  options.server.where = "resources." + role + ".command";
  options.server.name = role;
  options.server.start_timeout = milliseconds(server.start_timeout);
  options.server.logs = logs;
  if (!server.gpus.empty()) options.server.gpus = {server.gpus};
  options.asked = openai_options(part);
  options.transport = std::move(transport);
  return std::make_shared<backends::ServedModel>(std::move(options), progress);
}

// What stands innermost.
std::shared_ptr<llm::ChatModel> source_of(const Recipe& recipe, RoleName role,
                                          const store::RunStore& store, ProgressSink& progress) {
  const ModelPart& part = part_of(recipe, role);
  const std::string name(to_string(role));
  if (part.kind == "gym") return gym_model(recipe, role);
  if (part.kind == "student") return student_model(recipe, part);
  if (part.kind == "openai" && part.mode == "batch")
    return std::make_shared<llm::BatchModel>(openai_options(part));
  if (part.kind == "openai") {
    llm::OpenAiTransport transport = transport_of(part, name);
    transport.answered_stages = answered_stages(store, name);
    transport.notice = [&progress, name](const std::string& line) {
      progress.message(name + ": " + line);
    };
    ServerPart server = server_of(recipe, role);
    if (!server.command.empty()) {
      server.gpus = gpus_or_all(recipe, server.gpus);
      return served_model(server, part, std::move(transport), store.file().parent_path() / "logs",
                          progress, name);
    }
    return std::make_shared<llm::OpenAiModel>(openai_options(part), std::move(transport));
  }
  // A recorded teacher is never asked: the recipe is refused where it would have to be.
  if (part.kind == "recorded") {
    return std::make_shared<llm::RecordedModel>(std::map<std::string, std::string>{},
                                                llm::RecordedBy::prompt);
  }
  throw Error(ErrorKind::usage, name + ".kind: " + part.kind + " is no model that can be asked");
}

// What may cost something is noted before it leaves; nothing leaves for a batch.
bool books_requests(const Recipe& recipe, const ModelPart& part) {
  if (part.mode == "batch") return false;
  return !is_free(part) || recipe.budget.book_requests == "always";
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

std::string student_name_of(const ModelPart& part) {
  const std::filesystem::path folder = std::filesystem::path(part.model).lexically_normal();
  const auto name = folder.has_filename() ? folder.filename() : folder.parent_path().filename();
  return name.string();
}

llm::Prices prices_of(const ModelPart& part) {
  const double share = part.mode == "batch" ? 1 - part.batch_discount : 1;
  llm::Prices prices{
      share * std::max(0.0, part.price_input), share * std::max(0.0, part.price_output), {}};
  if (part.price_cached_input >= 0) prices.cached_input = share * part.price_cached_input;
  return prices;
}

std::string_view to_string(RoleName role) {
  switch (role) {
    case RoleName::teacher:
      return "teacher";
    case RoleName::judge:
      return "judge";
    case RoleName::auditor:
      return "auditor";
    case RoleName::candidate:
      return "candidate";
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
      return recipe.auditor;
    case RoleName::candidate:
      break;
  }
  return recipe.candidate;
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

RoleModel::RoleModel(const Recipe& recipe, RoleName role, store::RunStore& store,
                     llm::Budget& budget, const StageName& stage, ProgressSink& progress)
    : source_(source_of(recipe, role, store, progress)),
      limited_(*source_, {static_cast<std::size_t>(part_of(recipe, role).max_concurrent_requests)}),
      budgeted_(limited_, budget, prices_of(part_of(recipe, role))),
      retried_(budgeted_, retry_options(part_of(recipe, role))),
      cached_(retried_, store, std::string(to_string(role)),
              {.book_before_send = books_requests(recipe, part_of(recipe, role))}),
      labelled_(cached_, stage) {
  // Whoever imports the replies books them at this price.
  if (part_of(recipe, role).mode == "batch")
    note_batch_prices(store, to_string(role), prices_of(part_of(recipe, role)));
}

void RoleModel::rest() {
  if (auto* served = dynamic_cast<backends::ServedModel*>(source_.get())) served->rest();
}

std::string RoleModel::trouble() const {
  if (const auto* served = dynamic_cast<const backends::ServedModel*>(source_.get()))
    return served->trouble();
  const auto* remote = dynamic_cast<const llm::OpenAiModel*>(source_.get());
  return remote == nullptr ? std::string() : remote->trouble();
}

std::int64_t RoleModel::waiting() const {
  const auto* batch = dynamic_cast<const llm::BatchModel*>(source_.get());
  return batch == nullptr ? 0 : batch->waiting();
}

}  // namespace tapir::pipeline
