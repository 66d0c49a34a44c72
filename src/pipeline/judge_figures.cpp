#include "pipeline/judge_figures.h"

#include <fmt/format.h>

namespace tapir::pipeline {
namespace {

Json counts_of(const std::map<double, std::int64_t>& scores) {
  Json out = Json::object();
  for (const auto& [score, count] : scores) out[fmt::format("{:g}", score)] = count;
  return out;
}

double mean_of(const Json& scores) {
  double sum = 0;
  double count = 0;
  for (const auto& [score, times] : scores.items()) {
    sum += std::stod(score) * times.get<double>();
    count += times.get<double>();
  }
  return count > 0 ? sum / count : 0;
}

std::int64_t whole(const Json& figures, const char* name) {
  return figures[name].get<std::int64_t>();
}
double percent(const Json& figures, const char* name) { return 100 * figures[name].get<double>(); }

}  // namespace

Json judge_figures(const difficulty::JudgeStatistics& s) {
  return {{"replies", s.replies},
          {"parse_rate", s.parse_rate()},
          {"read_strict", s.strict},
          {"read_tolerant", s.tolerant},
          {"unreadable", s.unreadable},
          {"out_of_range", s.out_of_range},
          {"asked_again", s.asked_again},
          {"refused", s.refused},
          {"readings", s.readings},
          {"ties", s.ties},
          {"both_orders", s.both_orders},
          {"position_consistency", s.position_consistency()},
          {"position_bias", s.position_bias},
          {"first_wins", s.first_wins},
          {"second_wins", s.second_wins},
          {"decisions_flip", s.decisions_flip},
          {"teacher_scores", counts_of(s.teacher_scores)},
          {"student_scores", counts_of(s.student_scores)},
          {"warnings", difficulty::judge_warnings(s)}};
}

Json audit_figures(const difficulty::Agreement& a) {
  return {{"rows", a.rows},
          {"agreement", a.share()},
          {"low", a.interval.low},
          {"high", a.interval.high},
          {"kappa", a.kappa()},
          {"both", a.both},
          {"judge_only", a.judge_only},
          {"auditor_only", a.auditor_only},
          {"neither", a.neither},
          {"mean_gap_difference", a.mean_gap_difference}};
}

std::string judge_figures_text(const Json& figures) {
  std::string out = fmt::format(
      "judge: {:.1f} % of {} replies read ({} strictly, {} tolerantly; {} unreadable, {} out of "
      "range), {} asked again\n",
      percent(figures, "parse_rate"), whole(figures, "replies"), whole(figures, "read_strict"),
      whole(figures, "read_tolerant"), whole(figures, "unreadable"), whole(figures, "out_of_range"),
      whole(figures, "asked_again"));
  out += fmt::format("judge: mean score {:.2f} for the teacher, {:.2f} for the student\n",
                     mean_of(figures["teacher_scores"]), mean_of(figures["student_scores"]));
  if (whole(figures, "both_orders") > 0) {
    out += fmt::format(
        "judge: the same winner in both orders in {:.1f} % of {} pairs; being shown first is worth "
        "{:+.2f} points\n",
        percent(figures, "position_consistency"), whole(figures, "both_orders"),
        figures["position_bias"].get<double>());
  }
  for (const Json& warning : figures["warnings"])
    out += fmt::format("warning: {}\n", warning.get<std::string>());
  return out;
}

std::string audit_figures_text(const Json& figures) {
  return fmt::format(
      "audit: judge and auditor agree on who is kept in {:.1f} % of {} rows (95 % interval {:.1f} "
      "to {:.1f} %; kappa {:.2f}); kept by the judge only {}, by the auditor only {}\n",
      percent(figures, "agreement"), whole(figures, "rows"), percent(figures, "low"),
      percent(figures, "high"), figures["kappa"].get<double>(), whole(figures, "judge_only"),
      whole(figures, "auditor_only"));
}

}  // namespace tapir::pipeline
