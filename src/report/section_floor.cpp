// The floor under new instructions: how good the teacher's answers are, and at how many S_0 fails.
#include <fmt/format.h>

#include "report/html.h"
#include "report/sections.h"

namespace tapir::report {
namespace {

constexpr const char* kNone = "\xE2\x80\x93";

std::string mean_cell(const FloorRow& row) {
  if (row.judged == 0) return kNone;
  return fmt::format("{} [{}, {}]", decimal(row.mean, 2), decimal(row.interval.low, 2),
                     decimal(row.interval.high, 2));
}

std::string hard_cell(const FloorRow& row) {
  if (row.judged == 0) return kNone;
  return percent(row.hard_share) + " " + interval(row.hard_interval);
}

}  // namespace

std::string floor_part(const ArmTeaching& arm) {
  if (arm.floor.empty()) return {};
  Table table({{"task", false},
               {"round"},
               {"new rows"},
               {"judged"},
               {"mean score of the answers"},
               {"verdict", false},
               {"left out"},
               {"S\xE2\x82\x80 fails at"}});
  for (const FloorRow& row : arm.floor) {
    table.row({escape(row.task), std::to_string(row.round), number(row.rows), number(row.judged),
               mean_cell(row), in_words(row.verdict), number(row.filtered), hard_cell(row)});
  }
  const std::string note = fmt::format(
      "<p class=\"note\">A sample of the new rows, judged beside S\xE2\x82\x80's answers; 95 % "
      "intervals. Below: the whole interval of the mean lies below {}, and all new rows of the "
      "task "
      "are left out; doubtful: only the mean does. Judged answers below {} are left out in any "
      "case.</p>",
      decimal(arm.floor_score, 1), decimal(arm.floor_score, 1));
  return "<h3 style=\"margin-top:18px\">The floor under new rows</h3>" + table.html() + note;
}

}  // namespace tapir::report
