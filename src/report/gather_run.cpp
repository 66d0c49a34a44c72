#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/strings.h"
#include "report/gather.h"

namespace tapir::report {
namespace {

// The stages of the plan in its order, then those that only the store knows.
std::vector<std::string> stage_names(const store::RunStore& store,
                                     const std::vector<store::StageRecord>& begun) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  const Json plan = read_info(store.meta("plan").value_or(""));
  if (plan.is_array()) {
    for (const Json& name : plan) {
      if (name.is_string() && seen.insert(name.get<std::string>()).second)
        names.push_back(name.get<std::string>());
    }
  }
  for (const store::StageRecord& stage : begun) {
    if (seen.insert(stage.name).second) names.push_back(stage.name);
  }
  return names;
}

std::optional<double> figure(const Json& stage, const char* key) {
  if (!stage.is_object() || !stage.contains(key) || !stage[key].is_number()) return std::nullopt;
  return stage[key].get<double>();
}

// {stage: {seconds, tokens, calls}}, or the same under "stages".
Json estimates(const store::RunStore& store) {
  const Json estimate = read_info(store.meta("estimate").value_or(""));
  if (!estimate.is_object()) return Json::object();
  return estimate.contains("stages") && estimate["stages"].is_object() ? estimate["stages"]
                                                                       : estimate;
}

// The value of a top-level key of the recipe's YAML text, for titles only.
std::string top_level(const std::string& yaml, std::string_view key) {
  for (const std::string& line : split(yaml, '\n')) {
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ':') continue;
    std::string_view value = trim(std::string_view(line).substr(key.size() + 1));
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
        value.back() == value.front()) {
      value = value.substr(1, value.size() - 2);
    }
    return std::string(value);
  }
  return {};
}

std::string classifier_words(const store::RunStore& store) {
  const auto stage = store.stage("tasks");
  const Json info = stage ? read_info(stage->info) : Json();
  if (!info.is_object()) return {};
  std::string words;
  if (info.contains("classifier") && info["classifier"].is_string())
    words = info["classifier"].get<std::string>();
  if (info.contains("taxonomy") && info["taxonomy"].is_string()) {
    words += (words.empty() ? "taxonomy " : ", taxonomy ") + info["taxonomy"].get<std::string>();
  }
  const Json agreement = info.contains("agreement") ? info["agreement"] : Json();
  const auto accuracy = figure(agreement, "accuracy");
  const auto rows = figure(agreement, "rows");
  if (accuracy && rows) {
    words += fmt::format("; agrees with its labels on {:.1f} % of {:.0f} held-out rows",
                         100 * *accuracy, *rows);
  }
  return words;
}

}  // namespace

std::vector<StageRow> gather_stages(const store::RunStore& store) {
  const std::vector<store::StageRecord> begun = store.stages();
  const Json estimated = estimates(store);
  std::vector<StageRow> rows;
  for (const std::string& name : stage_names(store, begun)) {
    StageRow row{.name = name};
    const auto record = std::find_if(begun.begin(), begun.end(),
                                     [&](const store::StageRecord& s) { return s.name == name; });
    if (record != begun.end()) {
      row.begun = true;
      row.finished = record->finished;
      row.ledger = record->finished ? record->ledger : store.count_outcomes(name);
      row.seconds = record->seconds;
    }
    if (estimated.contains(name)) {
      row.estimated_seconds = figure(estimated[name], "seconds");
      row.estimated_calls = figure(estimated[name], "calls");
      row.estimated_tokens = figure(estimated[name], "tokens");
      row.estimated_usd = figure(estimated[name], "usd");
    }
    rows.push_back(std::move(row));
  }
  const auto find = [&](const std::string& name) {
    return std::find_if(rows.begin(), rows.end(),
                        [&](const StageRow& row) { return row.name == name; });
  };
  for (const store::UsageRow& usage : store.usage()) {
    const auto row = find(usage.stage);
    if (row == rows.end()) continue;
    row->calls += usage.replies;
    row->tokens += usage.prompt_tokens + usage.completion_tokens;
    row->usd += usage.usd;
  }
  for (const store::TrainRecord& training : store.trainings()) {
    const auto row = find(training.student + "/train");
    if (row != rows.end()) row->tokens += training.tokens;
  }
  return rows;
}

std::vector<store::UsageRow> gather_usage(const store::RunStore& store) {
  std::map<std::pair<std::string, std::string>, store::UsageRow> sums;
  for (const store::UsageRow& usage : store.usage()) {
    store::UsageRow& sum = sums[{usage.role, usage.model}];
    sum.role = usage.role;
    sum.model = usage.model;
    sum.replies += usage.replies;
    sum.failed += usage.failed;
    sum.sends += usage.sends;
    sum.prompt_tokens += usage.prompt_tokens;
    sum.cached_prompt_tokens += usage.cached_prompt_tokens;
    sum.completion_tokens += usage.completion_tokens;
    sum.usd += usage.usd;
    sum.seconds += usage.seconds;
  }
  std::vector<store::UsageRow> rows;
  for (auto& [key, sum] : sums) rows.push_back(std::move(sum));
  return rows;
}

RunFacts gather_run(const store::RunStore& store, const std::vector<StageRow>& stages) {
  RunFacts facts;
  facts.version = store.meta("version").value_or("");
  facts.command = store.meta("command").value_or("");
  facts.machine = store.meta("machine").value_or("");
  facts.seed = store.meta("seed").value_or("");
  facts.fingerprint = store.meta("fingerprint").value_or("");
  facts.recipe = store.meta("recipe").value_or("");
  facts.name = top_level(facts.recipe, "name");
  facts.classifier = classifier_words(store);
  for (const StageRow& stage : stages) {
    ++facts.planned;
    facts.finished += stage.finished ? 1 : 0;
    facts.seconds += stage.seconds;
    facts.usd += stage.usd;
  }
  return facts;
}

}  // namespace tapir::report
