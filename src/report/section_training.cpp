#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "report/chart.h"
#include "report/html.h"
#include "report/sections.h"

namespace tapir::report {
namespace {

constexpr std::size_t kShownPoints = 160;

// Moving average, so that the noise of small batches does not hide the course. The first point
// stays.
void smooth(std::vector<std::pair<double, double>>& points) {
  const auto reach = static_cast<std::ptrdiff_t>(points.size() / 25);
  const auto raw = points;
  const auto last = static_cast<std::ptrdiff_t>(raw.size()) - 1;
  for (std::ptrdiff_t i = 1; i <= last; ++i) {
    const std::ptrdiff_t here = std::min({reach, i - 1, last - i});  // narrower towards the ends
    double sum = 0;
    for (std::ptrdiff_t k = i - here; k <= i + here; ++k)
      sum += raw[static_cast<std::size_t>(k)].second;
    points[static_cast<std::size_t>(i)].second = sum / static_cast<double>(2 * here + 1);
  }
}

// Means of neighbouring points, so that a curve is readable and the page small.
std::vector<std::pair<double, double>> thinned(const std::vector<CurvePoint>& points,
                                               double CurvePoint::*value) {
  std::vector<std::pair<double, double>> shown;
  const std::size_t group =
      std::max<std::size_t>(1, (points.size() + kShownPoints - 1) / kShownPoints);
  for (std::size_t begin = 0; begin < points.size(); begin += group) {
    const std::size_t end = std::min(points.size(), begin + group);
    double tokens = 0;
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) {
      tokens += static_cast<double>(points[i].tokens);
      sum += points[i].*value;
    }
    const auto count = static_cast<double>(end - begin);
    shown.emplace_back(tokens / count, sum / count);
  }
  smooth(shown);
  return shown;
}

struct CurveChart {
  std::string title;
  std::string axis;
  double CurvePoint::*value;
  int digits;
};

std::string curve_chart(const ReportData& data, const std::vector<const Curve*>& curves,
                        const CurveChart& chart) {
  double tokens = 0;
  double highest = 0;
  double lowest = 0;
  std::vector<std::pair<std::string, std::string>> names;
  for (const Curve* curve : curves) {
    for (const auto& [x, y] : thinned(curve->points, chart.value)) {
      tokens = std::max(tokens, x);
      highest = std::max(highest, y);
    }
    names.emplace_back(arm_class(data, curve->arm), curve->label);
  }
  Axis x{0, tokens, "tokens through the optimizer", nice_ticks(0, tokens, 4), 0};
  Axis y{lowest, highest * 1.05, chart.axis, nice_ticks(lowest, highest, 4), chart.digits};
  Plot plot({.title = chart.title, .description = "One line per student", .height = 210}, x, y);
  plot.grid_y();
  plot.grid_x();
  const Curve* longest = curves.front();
  for (const Curve* curve : curves) {
    if (curve->round_starts.size() > longest->round_starts.size()) longest = curve;
  }
  for (const std::int64_t start : longest->round_starts)
    plot.vertical(static_cast<double>(start), "reference", "");
  // The main arm last: on top of the others.
  for (const bool main : {false, true}) {
    for (const Curve* curve : curves) {
      if (curve->main != main) continue;
      plot.line(thinned(curve->points, chart.value), "curve " + arm_class(data, curve->arm),
                curve->label);
    }
  }
  return (names.size() > 1 ? legend(names) : "") + plot.html();
}

std::string curves_html(const ReportData& data) {
  std::vector<const Curve*> arms;
  std::vector<const Curve*> s0;
  for (const Curve& curve : data.curves) (curve.arm.empty() ? s0 : arms).push_back(&curve);
  std::vector<std::string> cards;
  const CurveChart loss{"Training loss", "loss per supervised token, nats", &CurvePoint::loss, 2};
  if (!arms.empty()) {
    cards.push_back(card("The rounds", curve_chart(data, arms, loss),
                         "Training loss of the arms, moving averages; dashed: a round "
                         "begins. Arms learn "
                         "different answers: a lower loss is not a better student."));
  }
  if (!s0.empty())
    cards.push_back(card("S\xE2\x82\x80 on D", curve_chart(data, s0, loss),
                         "From the base student to S\xE2\x82\x80."));
  if (cards.empty()) return not_yet("No learning curve yet: they come with the first training.");
  return grid(cards);
}

std::string student_table(const std::vector<store::TrainRecord>& trainings) {
  Table table({{"student", false},
               {"steps"},
               {"tokens"},
               {"supervised"},
               {"rows"},
               {"distinct rows"},
               {"first loss"},
               {"last loss"},
               {"time"},
               {"tokens/s"}});
  for (const store::TrainRecord& t : trainings) {
    const double speed = t.seconds > 0 ? static_cast<double>(t.tokens) / t.seconds : 0;
    table.row({escape(t.student), number(t.steps), number(t.tokens), number(t.supervised_tokens),
               number(t.rows), number(t.distinct_rows), decimal(t.first_loss, 3),
               decimal(t.last_loss, 3), duration(t.seconds), number(std::llround(speed))});
  }
  return fold("Every training", table.html());
}

std::string tokens_table(const ReportData& data) {
  Table table({{"arm", false},
               {"steps"},
               {"tokens"},
               {"supervised"},
               {"rows"},
               {"distinct rows"},
               {"teacher tokens"},
               {"judge tokens"},
               {"time"}});
  for (const ArmTokens& arm : data.tokens) {
    table.row(
        {fmt::format("<span class=\"who\"><i class=\"chip {}\"></i>{}</span>",
                     arm_class(data, arm.arm), arm.arm.empty() ? "S\xE2\x82\x80" : escape(arm.arm)),
         number(arm.steps), number(arm.tokens), number(arm.supervised_tokens), number(arm.rows),
         number(arm.distinct_rows), number(arm.teacher_tokens), number(arm.judge_tokens),
         duration(arm.seconds)});
  }
  return card("Equal tokens", table.html(),
              "Arms are compared at equal tokens (prompt and answer, no padding) through the "
              "optimizer after S\xE2\x82\x80. Supervised: "
              "the answers' tokens, which the loss is about. Teacher and judge tokens: of the "
              "arm's own stages; judging D "
              "for S\xE2\x82\x80 serves all arms.");
}

}  // namespace

std::string training_section(const ReportData& data) {
  std::string body = curves_html(data);
  if (!data.tokens.empty()) body += tokens_table(data);
  if (!data.trainings.empty()) body += student_table(data.trainings);
  return section("training", "Training", "", body);
}

}  // namespace tapir::report
