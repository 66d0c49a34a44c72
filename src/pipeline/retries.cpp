#include "pipeline/retries.h"

#include <algorithm>
#include <array>

#include "base/json.h"

namespace tapir::pipeline {
namespace {

// Kinds of stages, by who is asked.
constexpr std::array<std::string_view, 4> kTeaching = {"responses", "tasks", "expand", "refine"};
constexpr std::array<std::string_view, 4> kJudging = {"difficulty", "audit", "held_out", "floor"};

// What a judge's requests have behind the row: the order of the answers, or whose answer it is.
constexpr std::array<std::string_view, 4> kOfAJudge = {"/teacher_first", "/student_first",
                                                       "/teacher", "/student"};

constexpr int kAttemptsOfARetry = 1000;  // more than any stage makes of one row

// "tapir/round-1/expand" -> "expand"
std::string_view kind_of(std::string_view stage) { return stage.substr(stage.rfind('/') + 1); }

template <std::size_t n>
bool contains(const std::array<std::string_view, n>& kinds, std::string_view kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

// An exam judges the rows that were held out, a benchmark its answers.
bool may_judge(std::string_view stage) {
  if (stage.ends_with("/answers")) return false;
  return stage.starts_with("exam/") || stage.starts_with("alpaca_eval/") ||
         stage.starts_with("mt_bench/") || contains(kJudging, kind_of(stage));
}

std::string meta_key(const std::string& stage) { return "retries/" + stage; }

// A run's expansion counts its requests: "<row>#<number>" in the outcomes.
std::string row_of(const std::string& outcome, std::string_view stage) {
  return stage.ends_with("/expand") ? outcome.substr(0, outcome.rfind('#')) : outcome;
}

}  // namespace

Retries read_retries(const store::RunStore& store, const std::string& stage) {
  const auto text = store.meta(meta_key(stage));
  if (!text) return {};
  const Json json = parse_json(*text, "retries of " + stage);
  return {json.at("times").get<std::map<std::string, int>>(),
          json.at("pending").get<std::set<std::string>>()};
}

void write_retries(store::RunStore& store, const std::string& stage, const Retries& retries) {
  store.set_meta(meta_key(stage),
                 Json{{"times", retries.times}, {"pending", retries.pending}}.dump());
}

std::size_t note_retry(store::RunStore& store, const std::string& stage) {
  const auto failed = store.rows_to_retry(stage);
  if (failed.empty()) return 0;
  Retries retries = read_retries(store, stage);
  std::set<std::string> rows;
  for (const auto& [outcome, reason] : failed) {
    retries.pending.insert(outcome);
    rows.insert(row_of(outcome, stage));
  }
  for (const std::string& row : rows) ++retries.times[row];
  write_retries(store, stage, retries);
  return rows.size();
}

bool may_ask_a_model(std::string_view stage) {
  return contains(kTeaching, kind_of(stage)) || may_judge(stage);
}

std::map<std::string, std::size_t> rows_to_retry(const store::RunStore& store) {
  std::set<std::string> asked;
  for (const store::UsageRow& row : store.usage()) asked.insert(row.stage);
  std::map<std::string, std::size_t> rows;
  for (const store::StageRecord& stage : store.stages()) {
    const bool teaching = contains(kTeaching, kind_of(stage.name));
    const bool judging = may_judge(stage.name) && asked.contains(stage.name);
    if (!teaching && !judging) continue;
    const std::size_t failed = store.rows_to_retry(stage.name).size();
    if (failed > 0) rows[stage.name] = failed;
  }
  return rows;
}

int retried_attempt(const std::map<std::string, int>& times, std::string_view request,
                    int attempt) {
  if (times.empty()) return attempt;
  auto found = times.find(std::string(request));
  for (const std::string_view suffix : kOfAJudge) {
    if (found != times.end() || !request.ends_with(suffix)) continue;
    found = times.find(std::string(request.substr(0, request.size() - suffix.size())));
  }
  return found == times.end() ? attempt : attempt + kAttemptsOfARetry * found->second;
}

}  // namespace tapir::pipeline
