// What can be said of the judge, and the ratios where none was asked.
#include <algorithm>

#include <fmt/format.h>

#include "report/chart.h"
#include "report/html.h"
#include "report/sections.h"

namespace tapir::report {
namespace {

std::string score_chart(const JudgeQuality& judge) {
  std::int64_t highest = 1;
  for (const auto* scores : {&judge.teacher_scores, &judge.student_scores}) {
    for (const auto& [score, count] : *scores) highest = std::max(highest, count);
  }
  const double top = 1.08 * static_cast<double>(highest);
  Plot plot({.title = "Scores that the judge gave",
             .description = "Number of readings by score, for the teacher's and the student's "
                            "answers",
             .height = 200},
            {0.5, 10.5, "score", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0},
            {0, top, "readings", nice_ticks(0, top, 4), 0});
  plot.grid_y();
  plot.grid_x();
  for (const auto& [score, count] : judge.teacher_scores) {
    plot.bar(score - 0.42, score, static_cast<double>(count), "bar-easy",
             fmt::format("teacher {}: {}", decimal(score, 0), number(count)));
  }
  for (const auto& [score, count] : judge.student_scores) {
    plot.bar(score, score + 0.42, static_cast<double>(count), "bar-hard",
             fmt::format("student {}: {}", decimal(score, 0), number(count)));
  }
  plot.horizontal(0, "base-line");
  return legend({{"bar-easy", "teacher's answers"}, {"bar-hard", "S\xE2\x82\x80's answers"}}) +
         plot.html();
}

std::string audit_words(const JudgeQuality::Audit& audit) {
  return fmt::format(
      " A second judge about {} of the rows agrees on who is kept in {} of them {}, kappa {}; kept "
      "by the judge only: {}, by the second one only: {}.",
      number(audit.rows), percent(audit.agreement), interval(audit.interval),
      decimal(audit.kappa, 2), number(audit.judge_only), number(audit.auditor_only));
}

}  // namespace

std::string judge_card(const JudgeQuality& judge) {
  std::string note = fmt::format(
      "{} of {} replies could be read: {} in the form asked for, {} in another dress; {} were "
      "unreadable and {} outside the scale.",
      percent(judge.parse_rate), number(judge.replies), number(judge.strict),
      number(judge.tolerant), number(judge.unreadable), number(judge.out_of_range));
  if (judge.both_orders > 0) {
    note += fmt::format(
        " Of {} pairs read in both orders {} have the same winner in both; being shown first is "
        "worth {} points.",
        number(judge.both_orders), percent(judge.position_consistency),
        decimal(judge.position_bias, 2));
  }
  if (judge.audit) note += audit_words(*judge.audit);
  for (const std::string& warning : judge.warnings)
    note += " <strong>Warning: " + escape(warning) + ".</strong>";
  return card("The judge", score_chart(judge), note);
}

std::string components_card(const Difficulty& d) {
  Table table(
      {{"kind of requirement", false}, {"requirements"}, {"teacher"}, {"S\xE2\x82\x80"}, {"gap"}});
  for (const Difficulty::Component& one : d.components) {
    table.row({in_words(one.kind), number(one.components), percent(one.teacher),
               percent(one.student), points(one.teacher - one.student)});
  }
  return card("Requirements, by kind", table.html(),
              "Shares of the requirements that each answer met; the gap in percentage points.");
}

std::string ratios_card(const Difficulty& d) {
  Table table({{"ratio of losses"}, {"instructions"}, {"share"}});
  for (const auto& [low, count] : d.histogram) {
    table.row({fmt::format("{} to {}", decimal(low, 1), decimal(low + d.bin(), 1)), number(count),
               percent(static_cast<double>(count) / static_cast<double>(d.rows))});
  }
  return card(
      "Instruction-Following Difficulty of D", table.html(),
      fmt::format("{} of {} instructions are hard: their ratios lie between {} and 1; mean "
                  "ratio {}. At 1 and above the instruction is no help, and the row is set "
                  "aside.",
                  number(d.hard), number(d.rows), decimal(d.threshold, 3), decimal(d.mean, 3)));
}

}  // namespace tapir::report
