// The figures that the stages "difficulty" and "difficulty/audit" left about the judge.
#include <cmath>
#include <cstdlib>

#include "report/gather.h"

namespace tapir::report {
namespace {

std::map<double, std::int64_t> scores_of(const Json& figures, const char* name) {
  std::map<double, std::int64_t> scores;
  const auto found = figures.find(name);
  if (found == figures.end() || !found->is_object()) return scores;
  for (const auto& [score, count] : found->items()) {
    if (count.is_number_integer())
      scores[std::round(std::strtod(score.c_str(), nullptr))] += count.get<std::int64_t>();
  }
  return scores;
}

std::optional<JudgeQuality::Audit> audit_of(const store::RunStore& store) {
  const auto stage = store.stage("difficulty/audit");
  const Json info = stage ? read_info(stage->info) : Json();
  if (!info.is_object() || !info.contains("audit") || !info["audit"].is_object())
    return std::nullopt;
  const Json& figures = info["audit"];
  JudgeQuality::Audit audit;
  audit.rows = figure(figures, "rows", audit.rows);
  audit.judge_only = figure(figures, "judge_only", audit.judge_only);
  audit.auditor_only = figure(figures, "auditor_only", audit.auditor_only);
  audit.agreement = figure(figures, "agreement", audit.agreement);
  audit.kappa = figure(figures, "kappa", audit.kappa);
  audit.interval = {figure(figures, "low", 0.0), figure(figures, "high", 1.0)};
  return audit;
}

}  // namespace

std::optional<JudgeQuality> gather_judge(const store::RunStore& store, const Json& info) {
  if (!info.contains("judge") || !info["judge"].is_object()) return std::nullopt;
  const Json& figures = info["judge"];
  JudgeQuality judge;
  judge.replies = figure(figures, "replies", judge.replies);
  judge.strict = figure(figures, "read_strict", judge.strict);
  judge.tolerant = figure(figures, "read_tolerant", judge.tolerant);
  judge.unreadable = figure(figures, "unreadable", judge.unreadable);
  judge.out_of_range = figure(figures, "out_of_range", judge.out_of_range);
  judge.parse_rate = figure(figures, "parse_rate", judge.parse_rate);
  judge.both_orders = figure(figures, "both_orders", judge.both_orders);
  judge.position_consistency = figure(figures, "position_consistency", judge.position_consistency);
  judge.position_bias = figure(figures, "position_bias", judge.position_bias);
  judge.teacher_scores = scores_of(figures, "teacher_scores");
  judge.student_scores = scores_of(figures, "student_scores");
  if (figures.contains("warnings") && figures["warnings"].is_array()) {
    for (const Json& warning : figures["warnings"]) {
      if (warning.is_string()) judge.warnings.push_back(warning.get<std::string>());
    }
  }
  judge.audit = audit_of(store);
  return judge;
}

}  // namespace tapir::report
