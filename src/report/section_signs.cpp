// Can the figures be trusted? What is off stands first, and loud.
#include <fmt/format.h>

#include "report/html.h"
#include "report/sections.h"

namespace tapir::report {
namespace {

std::string student_words(const std::string& who) {
  return who == "s0" ? "S\xE2\x82\x80" : escape(who);
}

std::string beside(double own, const std::optional<OutputsRow::Right>& right,
                   double OutputsRow::Right::*part) {
  return percent(own) + (right ? " / " + percent((*right).*part) : "");
}

std::string outputs_table(const std::vector<OutputsRow>& rows) {
  Table table({{"student", false},
               {"answers"},
               {"blank"},
               {"same as another row's / of right answers"},
               {"commonest / of right answers"},
               {"commonest answer", false},
               {"median characters / right"}});
  for (const OutputsRow& row : rows) {
    const bool missing = row.answers < row.asked;
    table.row({student_words(row.who),
               number(row.answers) + (missing ? " of " + number(row.asked) : ""), number(row.blank),
               beside(row.duplicate_share, row.right, &OutputsRow::Right::duplicate),
               beside(row.commonest_share, row.right, &OutputsRow::Right::commonest),
               "<code>" + escape(one_line(row.commonest_text, 40)) + "</code>",
               decimal(row.median_length, 0) +
                   (row.right ? " / " + decimal(row.right->median_length, 0) : "")});
  }
  return table.html();
}

std::string alarm(const std::vector<std::string>& warnings) {
  if (warnings.empty()) {
    return "<p class=\"verdict\">Nothing is off: no constant or repeated answers, no jump in their "
           "length, no missing rows, no item of an evaluation set in the training data.</p>";
  }
  std::string items;
  for (const std::string& warning : warnings) items += "<li>" + escape(warning) + "</li>";
  return fmt::format(
      "<div class=\"alarm\" role=\"alert\"><b>{}: read the figures above with "
      "care</b><ul>{}</ul></div>",
      warnings.size() == 1 ? "One thing is off" : fmt::format("{} things are off", warnings.size()),
      items);
}

std::string judge_words(const std::optional<JudgeQuality>& judge) {
  if (!judge || judge->both_orders == 0) return "No pair was judged in both orders.";
  return fmt::format("The judge has the same winner in both orders in {} of {} pairs.",
                     percent(judge->position_consistency), number(judge->both_orders));
}

std::string copies_words(const Signs& signs) {
  if (!signs.near_copies)
    return "No evaluation set was named to look for in the training data "
           "(<code>data.decontaminate_against</code>).";
  return fmt::format("Rows of the mixtures that are near-copies of evaluation items: {}.",
                     number(*signs.near_copies));
}

}  // namespace

std::string signs_section(const ReportData& data) {
  const Signs& signs = data.signs;
  const std::string lead =
      "High scores can come from a model that always says the same, from a judge that goes by "
      "place, "
      "or from training on the exam. These are the signs.";
  if (signs.outputs.empty() && signs.warnings.empty()) {
    return section("signs", "Can the figures be trusted?", lead,
                   not_yet("No student has sat an exam yet: this comes with the first."));
  }
  const std::string body =
      alarm(signs.warnings) + card("Answers to the exam", outputs_table(signs.outputs),
                                   judge_words(data.difficulty.judge) + " " + copies_words(signs));
  return section("signs", "Can the figures be trusted?", lead, body);
}

}  // namespace tapir::report
