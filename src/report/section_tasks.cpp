#include <algorithm>

#include <fmt/format.h>

#include "report/html.h"
#include "report/sections.h"

namespace tapir::report {
namespace {

std::string reasons(const std::map<std::string, std::int64_t>& rejected) {
  if (rejected.empty()) return "\xE2\x80\x93";
  std::string text;
  for (const auto& [reason, count] : rejected) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", in_words(reason), number(count));
  }
  return text;
}

std::string share_cell(const std::optional<double>& share) {
  return share ? percent(*share) : "\xE2\x80\x93";
}

// Reached as a bar, the target as a line across it.
std::string bullet(const TaskRow& task, double highest) {
  if (!task.reached || highest <= 0) return {};
  std::string target;
  if (task.target)
    target = fmt::format("<u style=\"left:{:.1f}%\"></u>", 100 * *task.target / highest);
  return fmt::format("<span class=\"bullet\"><i style=\"width:{:.1f}%\"></i>{}</span>",
                     100 * *task.reached / highest, target);
}

std::string task_table(const ArmTeaching& arm) {
  double highest = 0;
  TaskRow sum;
  for (const TaskRow& task : arm.tasks)
    highest = std::max({highest, task.reached.value_or(0), task.target.value_or(0)});
  Table table({{"task", false},
               {"in D"},
               {"hard"},
               {"attempts"},
               {"kept"},
               {"rejected, by reason", false},
               {"rows"},
               {"repeated"},
               {"target"},
               {"reached"},
               {"", false}});
  for (const TaskRow& task : arm.tasks) {
    table.row({task.task.empty() ? "(none)" : escape(task.task), number(task.in_data),
               number(task.hard), number(task.attempts), number(task.kept), reasons(task.rejected),
               number(task.rows), number(task.repeated), share_cell(task.target),
               share_cell(task.reached), bullet(task, highest)});
    sum.in_data += task.in_data;
    sum.hard += task.hard;
    sum.attempts += task.attempts;
    sum.kept += task.kept;
    sum.rows += task.rows;
    sum.repeated += task.repeated;
    for (const auto& [reason, count] : task.rejected) sum.rejected[reason] += count;
  }
  table.row({"all", number(sum.in_data), number(sum.hard), number(sum.attempts), number(sum.kept),
             reasons(sum.rejected), number(sum.rows), number(sum.repeated), "", "", ""},
            "sum");
  return table.html();
}

std::string round_table(const ArmTeaching& arm) {
  if (arm.rounds.empty()) return not_yet("This arm has no mixture yet.");
  Table table({{"round", false},
               {"\xCE\xB1"},
               {"rows"},
               {"hard"},
               {"easy"},
               {"hard share"},
               {"distinct"},
               {"repeated"}});
  std::string relaxed;
  for (const RoundRow& round : arm.rounds) {
    table.row({std::to_string(round.round), round.alpha ? decimal(*round.alpha, 2) : "\xE2\x80\x93",
               number(round.rows), number(round.hard), number(round.easy),
               percent(static_cast<double>(round.hard) /
                       static_cast<double>(std::max<std::int64_t>(1, round.rows))),
               number(round.distinct), number(round.repeated)});
    for (const std::string& words : round.relaxed)
      relaxed += fmt::format("<li>round {}: {}</li>", round.round, escape(words));
  }
  const std::string note =
      relaxed.empty() ? ""
                      : "<p class=\"note\">Shares that could not hold:</p><ul class=\"plain\">" +
                            relaxed + "</ul>";
  return table.html() + note;
}

}  // namespace

std::string tasks_section(const ReportData& data) {
  std::string lead =
      "What was taught: new instructions inspired by the hard ones until the task shares are met, "
      "mixed "
      "with easy rows that keep what is known.";
  if (!data.run.classifier.empty())
    lead += " Tasks were found by: " + escape(data.run.classifier) + ".";
  if (data.teaching.empty()) {
    return section("tasks", "Tasks and mixtures", lead,
                   not_yet("No instructions have been read and classified yet."));
  }
  std::string body;
  for (const ArmTeaching& arm : data.teaching) {
    const std::string tables = task_table(arm) + "<h3 style=\"margin-top:18px\">Rounds</h3>" +
                               round_table(arm) + floor_part(arm);
    if (&arm == &data.teaching.front()) {
      body += card("Arm " + arm.arm, tables,
                   "In D and hard: of the corpus. Attempts, kept and rejected: new instructions by "
                   "the teacher. Rows: of "
                   "all mixtures. The line across a bar is the target share.");
    } else {
      body += fold("Arm " + escape(arm.arm), tables);
    }
  }
  return section("tasks", "Tasks and mixtures", lead, body);
}

}  // namespace tapir::report
