// What is told of a judge: in a stage's info, in `tapir status` and in the summary of `tapir
// judge`.
#pragma once

#include <string>

#include "base/json.h"
#include "difficulty/judge_statistics.h"

namespace tapir::pipeline {

// {"replies", "parse_rate", "read_strict", "read_tolerant", "unreadable", "out_of_range",
// "asked_again", "refused", "readings", "ties", "both_orders", "position_consistency",
// "position_bias", "first_wins", "second_wins", "decisions_flip", "teacher_scores",
// "student_scores" {score: count}, "warnings" [..]}
Json judge_figures(const difficulty::JudgeStatistics& statistics);

// {"rows", "agreement", "low", "high" (95 %), "kappa", "both", "judge_only", "auditor_only",
// "neither", "mean_gap_difference"}
Json audit_figures(const difficulty::Agreement& agreement);

// For people: some lines, each ending with a newline.
std::string judge_figures_text(const Json& figures);
std::string audit_figures_text(const Json& figures);

}  // namespace tapir::pipeline
