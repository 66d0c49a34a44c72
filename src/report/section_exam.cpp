#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "report/html.h"
#include "report/sections.h"

namespace tapir::report {
namespace {

constexpr double kLightTextFrom = 0.58;  // share of the colour from which letters are light

// A share in [0, 1] as a coloured cell.
std::string heat(double share, std::string_view hint) {
  return fmt::format(
      "<i class=\"{}\" style=\"background:rgb(var(--heat)/{:.2f})\" title=\"{}\">{:.0f}</i>",
      share >= kLightTextFrom ? "on" : "", 0.06 + 0.94 * share, hint, 100 * share);
}

// A change in [-1, 1].
std::string change_cell(double change, std::string_view hint) {
  const double strength = std::min(1.0, std::fabs(change) * 1.6);
  const bool shown_zero = std::fabs(change) < 0.005;
  return fmt::format(
      "<i class=\"{}\" style=\"background:rgb(var(--{})/{:.2f})\" title=\"{}\">{}{}</i>",
      strength >= kLightTextFrom ? "on" : "", change < 0 ? "minus" : "heat", 0.06 + 0.94 * strength,
      hint, change > 0 && !shown_zero ? "+" : "", shown_zero ? "0" : decimal(100 * change, 0));
}

struct Shape {
  std::set<std::string> families;
  std::set<int> levels;
  std::set<int> beyond;  // of them, those that nothing was trained on
};

Shape shape_of(const Outcome& outcome) {
  Shape shape;
  for (const StudentResult& student : outcome.students) {
    for (const auto& [key, cell] : student.cells) {
      shape.families.insert(key.first);
      shape.levels.insert(key.second);
      if (cell.beyond) shape.beyond.insert(key.second);
    }
  }
  return shape;
}

std::string heat_head(const Shape& shape) {
  std::string head = "<th scope=\"col\"><span hidden>family</span></th>";
  for (const int level : shape.levels) {
    head +=
        fmt::format("<th scope=\"col\">L{}{}</th>", level, shape.beyond.contains(level) ? "*" : "");
  }
  return "<thead><tr>" + head + "</tr></thead>";
}

template <typename CellHtml>
std::string heat_table(const Shape& shape, CellHtml&& cell_html) {
  std::string body;
  for (const std::string& family : shape.families) {
    body += fmt::format("<tr><th scope=\"row\">{}</th>", escape(family));
    for (const int level : shape.levels)
      body += "<td>" + cell_html(CellKey{family, level}) + "</td>";
    body += "</tr>\n";
  }
  return "<div class=\"scroll\" tabindex=\"0\"><table class=\"heat\">" + heat_head(shape) +
         "<tbody>" + body + "</tbody></table></div>\n";
}

std::string hint_of(const CellKey& key, const std::string& words) {
  return escape(fmt::format("{}, level {}: {}", key.first, key.second, words));
}

std::string student_map(const StudentResult& student, const Shape& shape) {
  return heat_table(shape, [&](const CellKey& key) -> std::string {
    const auto found = student.cells.find(key);
    if (found == student.cells.end()) return "<i class=\"none\"></i>";
    const ExamCell& cell = found->second;
    return heat(cell.accuracy,
                hint_of(key, fmt::format("{:.0f} % of {} right, score {:.1f}", 100 * cell.accuracy,
                                         cell.items, cell.score)));
  });
}

std::string change_map(const StudentResult& before, const StudentResult& after,
                       const Shape& shape) {
  return heat_table(shape, [&](const CellKey& key) -> std::string {
    const auto a = before.cells.find(key);
    const auto b = after.cells.find(key);
    if (a == before.cells.end() || b == after.cells.end()) return "<i class=\"none\"></i>";
    const double change = b->second.accuracy - a->second.accuracy;
    return change_cell(change,
                       hint_of(key, fmt::format("{:.0f} % to {:.0f} %", 100 * a->second.accuracy,
                                                100 * b->second.accuracy)));
  });
}

std::string maps(const Outcome& outcome) {
  const Shape shape = shape_of(outcome);
  const StudentResult* s0 = outcome.find("");
  const StudentResult* main = outcome.main();
  std::vector<std::string> cards;
  if (s0 != nullptr) cards.push_back(card("Before: S\xE2\x82\x80", student_map(*s0, shape)));
  if (main != nullptr) cards.push_back(card("After: " + main->label, student_map(*main, shape)));
  if (s0 != nullptr && main != nullptr)
    cards.push_back(card("Change, points",
                         "<div class=\"change\">" + change_map(*s0, *main, shape) + "</div>"));
  std::string html = grid(cards, "thirds");
  for (const StudentResult& student : outcome.students) {
    if (student.arm.empty() || student.main) continue;
    std::vector<std::string> pair = {card("After: " + student.label, student_map(student, shape))};
    if (s0 != nullptr)
      pair.push_back(card("Change, points",
                          "<div class=\"change\">" + change_map(*s0, student, shape) + "</div>"));
    html += fold("The same for " + escape(student.label), grid(pair));
  }
  return html;
}

std::string round_label(const std::string& student) {
  const std::size_t slash = student.rfind("/round-");
  if (slash == std::string::npos) return "S\xE2\x82\x80";
  return fmt::format("r{}", student.substr(slash + std::string_view("/round-").size()));
}

// Of own sets the name says enough.
std::string set_name(const ForgettingRow& row) {
  return escape(row.set) + (row.kind == "own" ? "" : " <small>" + escape(row.kind) + "</small>");
}

std::string accuracy_cell(const std::string& name, const std::optional<ForgettingCell>& cell) {
  if (!cell) return "<i class=\"none\"></i>";
  return heat(
      cell->accuracy,
      escape(fmt::format("{}: {} {}{}", name, percent(cell->accuracy), interval(cell->interval),
                         cell->items > 0 ? fmt::format(" of {}", cell->items) : "")));
}

std::string maybe_change(const std::optional<double>& change, std::string_view hint) {
  return change ? change_cell(*change, hint) : "<i class=\"none\"></i>";
}

std::string forgetting_table(const ArmForgetting& arm) {
  std::string head = "<th scope=\"col\"><span hidden>set</span></th>";
  for (const std::string& student : arm.students)
    head += "<th scope=\"col\">" + escape(round_label(student)) + "</th>";
  head +=
      "<th scope=\"col\" class=\"gap\">best</th><th scope=\"col\">last \xE2\x88\x92 best</th><th "
      "scope=\"col\">last \xE2\x88\x92 first</th>";
  std::string body;
  for (const ForgettingRow& row : arm.rows) {
    body += "<tr><th scope=\"row\">" + set_name(row) + "</th>";
    for (const auto& cell : row.cells) body += "<td>" + accuracy_cell(row.set, cell) + "</td>";
    body += "<td class=\"gap\">" +
            (row.best ? heat(*row.best, "best so far") : "<i class=\"none\"></i>") + "</td><td>" +
            maybe_change(row.last_minus_best, "last round minus best so far") + "</td><td>" +
            maybe_change(row.last_minus_first, "last round minus S\xE2\x82\x80") + "</td></tr>\n";
  }
  return "<div class=\"scroll\" tabindex=\"0\"><table class=\"heat\"><thead><tr>" + head +
         "</tr></thead><tbody>" + body + "</tbody></table></div>\n";
}

// Overall performance after every round, and the changes from S_0 to the last.
std::string forgetting_figures(const ArmForgetting& arm) {
  Table overall({{"overall performance", false}, {"accuracy"}, {"95 %"}});
  for (std::size_t i = 0; i < arm.overall.size() && i < arm.students.size(); ++i) {
    if (!arm.overall[i]) continue;
    overall.row({escape(round_label(arm.students[i])), percent(arm.overall[i]->accuracy),
                 interval(arm.overall[i]->interval)});
  }
  Table changes(
      {{"last \xE2\x88\x92 S\xE2\x82\x80", false}, {"sets"}, {"points"}, {"95 %"}, {"p"}});
  const auto add = [&](const char* name, const std::optional<ForgettingChange>& change) {
    if (!change) return;
    changes.row({name, number(change->sets), points(change->difference),
                 point_interval(change->interval), p_value(change->p)});
  };
  add("backward transfer", arm.backward_transfer);
  add("general delta", arm.general);
  add("instruction delta", arm.instruction);
  add("safety delta", arm.safety);
  return (overall.empty() ? "" : overall.html()) + (changes.empty() ? "" : changes.html());
}

std::string gate_words(const ArmForgetting& arm) {
  std::string words;
  for (const ForgettingRound& round : arm.gate) {
    if (round.from != round.round - 1) {
      words += fmt::format(
          " Round {} started from {}.", round.round,
          round.from == 0 ? std::string("S\xE2\x82\x80") : fmt::format("round {}", round.from));
    }
    if (!round.fell.empty())
      words += fmt::format(" <b>Round {} forgot</b>: {}.", round.round, escape(round.fell));
  }
  return words;
}

std::string forgetting_card(const ArmForgetting& arm) {
  std::string note =
      "Share of right answers by set, with its interval on hovering. Backward transfer and overall "
      "performance are means over the sets that the rounds teach; the deltas are those of the sets "
      "beside them.";
  if (arm.mean_drop)
    note += fmt::format(" Mean fall below the best so far: {} points.", points(*arm.mean_drop));
  note += gate_words(arm);
  return card("Forgetting, arm " + arm.arm + ": accuracy by set after every round, %",
              forgetting_table(arm) + forgetting_figures(arm), note);
}

std::string forgetting_html(const ReportData& data) {
  if (data.forgetting.empty())
    return not_yet("The forgetting matrix comes with the exam after the first round.");
  std::string html;
  std::vector<std::string> others;
  for (const ArmForgetting& arm : data.forgetting) {
    if (arm.main) {
      html += forgetting_card(arm);
    } else {
      others.push_back(forgetting_card(arm));
    }
  }
  if (!others.empty()) html += fold("Forgetting in the other arms", grid(others), html.empty());
  return html;
}

}  // namespace

std::string exam_section(const ReportData& data) {
  const std::string lead =
      data.outcome.headline_set != "uniform"
          ? "Held-out rows that reach the recorded answer, in per cent, by task."
          : "Exact answers in per cent, by family and level, on prompts that nobody trained on. "
            "Levels that the data never had (*) show how far a skill reaches.";
  if (data.outcome.students.empty()) {
    return section("exam", "Exam by family and level", lead,
                   not_yet("No student has sat the exam yet."));
  }
  return section("exam", "Exam by family and level", lead,
                 maps(data.outcome) + forgetting_html(data));
}

}  // namespace tapir::report
