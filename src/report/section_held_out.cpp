#include <set>

#include <fmt/format.h>

#include "report/html.h"
#include "report/sections.h"

namespace tapir::report {
namespace {

constexpr const char* kNone = "\xE2\x80\x93";

std::string signed_interval(double value, const stats::Interval& bounds, int digits) {
  return fmt::format("{:+.{}f}<br><small>[{:+.{}f}, {:+.{}f}]</small>", value, digits, bounds.low,
                     digits, bounds.high, digits);
}

std::string loss_cell(const std::optional<HeldOutComparison>& other) {
  if (!other) return kNone;
  return signed_interval(other->loss, other->loss_interval, 3) +
         fmt::format("<br><small>p {}</small>", p_value(other->loss_p));
}

std::string wins_cell(const std::optional<HeldOutComparison>& other) {
  if (!other) return kNone;
  return fmt::format("{}<br><small>{}<br>{} ties</small>", percent(other->wins),
                     interval(other->wins_interval), number(other->ties));
}

std::string length_cell(const std::optional<HeldOutComparison>& other) {
  return other ? signed_interval(other->characters, other->characters_interval, 0) : kNone;
}

std::string who(const ReportData& data, const HeldOutStudent& student) {
  return fmt::format("<span class=\"who\"><i class=\"chip {}\"></i>{}</span>",
                     arm_class(data, student.arm), escape(student.label));
}

std::string students_card(const ReportData& data, const HeldOut& held_out) {
  Table table({{"student", false},
               {"loss"},
               {"loss \xE2\x88\x92 S\xE2\x82\x80"},
               {"loss \xE2\x88\x92 plain"},
               {"judge score"},
               {"wins against S\xE2\x82\x80"},
               {"wins against plain"},
               {"reach the answer"},
               {"characters"},
               {"characters \xE2\x88\x92 S\xE2\x82\x80"}});
  for (const HeldOutStudent& student : held_out.students) {
    table.row({who(data, student), decimal(student.all.loss, 3), loss_cell(student.to_s0),
               loss_cell(student.to_plain), decimal(student.all.score, 2), wins_cell(student.to_s0),
               wins_cell(student.to_plain), percent(student.all.reached),
               decimal(student.all.characters, 0), length_cell(student.to_s0)},
              student.main ? "main" : "");
  }
  return card("Students on the held-out rows", table.html(),
              fmt::format("Loss: mean over the tokens of the recorded answers, lower is better. "
                          "Wins: share of rows with the higher judge score, ties half. Reach the "
                          "answer: rows that are not hard for the student. Differences are paired "
                          "by row, with 95&nbsp;% intervals; plain: after as many rounds. The "
                          "recorded answers have {} characters.",
                          decimal(held_out.reference_characters, 0)));
}

std::string sources_card(const ReportData& data, const HeldOut& held_out) {
  std::set<std::string> sources;
  for (const HeldOutStudent& student : held_out.students) {
    for (const auto& [source, figures] : student.by_source) sources.insert(source);
  }
  if (sources.size() < 2) return {};
  Table table({{"file", false},
               {"student", false},
               {"rows"},
               {"loss"},
               {"judge score"},
               {"reach the answer"},
               {"characters"}});
  for (const std::string& source : sources) {
    for (const HeldOutStudent& student : held_out.students) {
      const auto found = student.by_source.find(source);
      if (found == student.by_source.end()) continue;
      const HeldOutFigures& figures = found->second;
      table.row({escape(source), who(data, student), number(figures.items),
                 decimal(figures.loss, 3), decimal(figures.score, 2), percent(figures.reached),
                 decimal(figures.characters, 0)});
    }
  }
  return fold("The same by file", card("By file", table.html()));
}

}  // namespace

std::string held_out_section(const ReportData& data) {
  if (!data.held_out) return {};
  const std::string lead = fmt::format(
      "{} rows of the data were set aside before anything else: nobody was trained on them.",
      number(data.held_out->items));
  return section("held-out", "Held-out rows", lead,
                 students_card(data, *data.held_out) + sources_card(data, *data.held_out));
}

}  // namespace tapir::report
