#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "report/chart.h"
#include "report/html.h"
#include "report/sections.h"

namespace tapir::report {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string overall_card(const Difficulty& d) {
  const std::string sign = d.strict ? "&gt;" : "&ge;";
  const std::string chart =
      legend({{"bar-hard", "hard"}, {"bar-easy", "easy"}}) +
      histogram(
          d.histogram,
          {.title = "Gap between teacher and S\xE2\x82\x80",
           .description = fmt::format("{} of {} instructions pass the threshold", d.hard, d.rows),
           .axis_label = "gap = teacher's score \xE2\x88\x92 S\xE2\x82\x80's score, points",
           .threshold = d.threshold});
  std::string note = fmt::format("{} of {} judged instructions ({}) have a gap {} {}; mean gap {}.",
                                 number(d.hard), number(d.rows), percent(share(d.hard, d.rows)),
                                 sign, decimal(d.threshold, 1), decimal(d.mean, 2));
  if (d.truncated > 0)
    note +=
        fmt::format(" {} answers of S\xE2\x82\x80 were cut at the limit and judged as they are.",
                    number(d.truncated));
  if (d.held_out) {
    note += fmt::format(
        " On {} rows that S\xE2\x82\x80 was not trained on the mean gap is {} and {} are hard: "
        "what S\xE2\x82\x80 "
        "memorised "
        "hides in the difference.",
        number(d.held_out->rows), decimal(d.held_out->mean, 2),
        percent(share(d.held_out->hard, d.held_out->rows)));
  }
  if (d.judgings > 1) {
    note +=
        fmt::format(" Judged {} times with students of later rounds; {} rows were hard every time.",
                    d.judgings, number(d.never_reached));
  }
  return card("Model fitting difficulty of D", chart, note);
}

std::string orders_card(const Difficulty& d) {
  if (d.both_orders == 0) {
    return card("One order against the other", not_yet("No pair was judged in both orders."));
  }
  double highest = 1;
  for (const OrderPoint& point : d.orders)
    highest = std::max(highest, static_cast<double>(point.count));
  Axis x{-9.5, 9.5, "gap, teacher's answer shown first", {-9, -6, -3, 0, 3, 6, 9}, 0};
  Axis y{-9.5, 9.5, "gap, student's answer shown first", {-9, -6, -3, 0, 3, 6, 9}, 0};
  Plot plot({.title = "Gap in one order against the other",
             .description = fmt::format("{} of {} decisions flip", d.flips, d.both_orders),
             .height = 230,
             .left = 34},
            x, y);
  plot.grid_y();
  plot.grid_x();
  plot.vertical(d.threshold, "threshold", "");
  plot.horizontal(d.threshold, "threshold");
  const auto hard = [&](double gap) { return d.strict ? gap > d.threshold : gap >= d.threshold; };
  for (const OrderPoint& point : d.orders) {
    const bool flips = hard(point.teacher_first) != hard(point.student_first);
    plot.dot(point.teacher_first, point.student_first,
             2.2 + 9 * std::sqrt(static_cast<double>(point.count) / highest),
             flips ? "flip" : "agree",
             fmt::format("{} and {}: {} pairs", decimal(point.teacher_first, 0),
                         decimal(point.student_first, 0), number(point.count)));
  }
  std::string note =
      fmt::format("{} pairs judged in both orders; {} decisions flip ({}).", number(d.both_orders),
                  number(d.flips), percent(share(d.flips, d.both_orders), 2));
  if (d.band && *d.band > 0) {
    note += fmt::format(" The second order is asked for within {} of the threshold.",
                        decimal(*d.band, 2));
  } else if (d.band) {
    note += " The pilot showed no need of a second order.";
  }
  if (d.unread > 0)
    note += fmt::format(" {} replies of the judge could not be read.", number(d.unread));
  note += " Size: number of pairs, gaps rounded to whole points.";
  return card("One order against the other", plot.html(), note);
}

std::string threshold_card(const Difficulty& d) {
  Table table({{"threshold \xCE\xB4"},
               {"kept, gap > \xCE\xB4"},
               {"share"},
               {"kept, gap \xE2\x89\xA5 \xCE\xB4"},
               {"share"}});
  for (const Difficulty::Kept& kept : d.thresholds) {
    table.row({decimal(kept.threshold, 1), number(kept.above), percent(share(kept.above, d.rows)),
               number(kept.at_least), percent(share(kept.at_least, d.rows))},
              std::fabs(kept.threshold - d.threshold) < 1e-9 ? "main" : "");
  }
  return fold("What any other threshold would keep", table.html());
}

std::string tasks_card(const Difficulty& d) {
  std::string minis;
  for (const TaskGaps& task : d.by_task) {
    minis +=
        fmt::format("<div class=\"mini\"><b>{}</b><small>{} rows, {} hard, mean {}</small>{}</div>",
                    task.task.empty() ? "(not classified)" : escape(task.task), number(task.rows),
                    percent(share(task.hard, task.rows), 0), decimal(task.mean, 1),
                    histogram(task.histogram, {.title = "Gap, " + task.task,
                                               .description = fmt::format("{} rows", task.rows),
                                               .threshold = d.threshold,
                                               .height = 54,
                                               .small = true}));
  }
  return card("By task", "<div class=\"minis\">" + minis + "</div>\n",
              "From \xE2\x88\x92"
              "9 to 9 points; each task on its own vertical scale.");
}

}  // namespace

std::string difficulty_section(const ReportData& data) {
  const Difficulty& d = data.difficulty;
  const bool judged = d.method != "ifd";
  const std::string lead =
      judged ? "How an instruction fits the student: the judge scores the teacher's and "
               "S\xE2\x82\x80's answer, 1 to 10; the gap between them is its difficulty. What "
               "passes the threshold is taught."
             : "How little an instruction helps S\xE2\x82\x80 to foresee its answer: the loss of "
               "the answer with the instruction over the loss without. The highest ratios below 1 "
               "are taught.";
  if (d.rows == 0) {
    return section(
        "difficulty", "Difficulty", lead,
        not_yet("No pair has been judged yet: this comes with the stage \"difficulty\"."));
  }
  if (!judged) return section("difficulty", "Difficulty", lead, grid({ratios_card(d)}));
  std::vector<std::string> cards = {overall_card(d), orders_card(d)};
  if (d.judge) cards.push_back(judge_card(*d.judge));
  if (!d.components.empty()) cards.push_back(components_card(d));
  return section("difficulty", "Difficulty", lead, grid(cards) + tasks_card(d) + threshold_card(d));
}

}  // namespace tapir::report
