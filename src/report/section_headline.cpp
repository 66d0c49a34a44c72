#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "report/chart.h"
#include "report/gather.h"
#include "report/html.h"
#include "report/sections.h"

namespace tapir::report {
namespace {

const SetResult* headline_of(const StudentResult& student, const Outcome& outcome) {
  const auto found = student.sets.find(outcome.headline_set);
  return found == student.sets.end() || found->second.items == 0 ? nullptr : &found->second;
}

// Rows of files, judged against recorded answers, instead of the gym's items.
bool on_own_rows(const Outcome& outcome) { return outcome.headline_set != "uniform"; }

// What accuracy means: exact answers of the gym's items; of the user's own rows, answers that the
// judge does not put further below the recorded one than the threshold.
std::string answered_words(const Outcome& outcome, double accuracy) {
  return on_own_rows(outcome)
             ? fmt::format("reaches the recorded answer on <b>{}</b> of the held-out rows",
                           percent(accuracy))
             : fmt::format("answers <b>{}</b> of the held-out questions exactly",
                           percent(accuracy));
}

// "+24.0 points above S_0": in words whichever way it fell.
std::string against_words(const std::optional<Difference>& difference, const std::string& other) {
  if (!difference) return {};
  const std::string value = "<b>" + points(difference->value) + " points</b> ";
  if (difference->interval.low > 0) return value + "above " + other;
  if (difference->interval.high < 0) return value + "below " + other;
  return value + "against " + other + " (the interval holds zero)";
}

// "plain distillation", and at which tokens.
std::string baseline_words(const ReportData& data, std::string_view main) {
  std::int64_t plain_tokens = 0;
  std::int64_t main_tokens = 0;
  for (const ArmTokens& arm : data.tokens) {
    if (arm.arm == kBaselineArm) plain_tokens = arm.tokens;
    if (arm.arm == main) main_tokens = arm.tokens;
  }
  if (plain_tokens == 0 || main_tokens == 0) return "plain distillation";
  const double ratio = static_cast<double>(main_tokens) / static_cast<double>(plain_tokens);
  if (std::fabs(ratio - 1) < 0.01) return "plain distillation at equal tokens";
  return "plain distillation (which saw " + decimal(1 / ratio, 2) + " times as many tokens)";
}

std::string verdict(const ReportData& data) {
  const Outcome& outcome = data.outcome;
  const StudentResult* main = outcome.main();
  const StudentResult* s0 = outcome.find("");
  if (main == nullptr || headline_of(*main, outcome) == nullptr) {
    if (s0 == nullptr || headline_of(*s0, outcome) == nullptr) return {};
    return fmt::format("<p class=\"verdict\">So far only S\xE2\x82\x80 sat the exam: it {}.</p>\n",
                       answered_words(outcome, headline_of(*s0, outcome)->accuracy));
  }
  std::string text = fmt::format("The student that {} trained {}", escape(main->label),
                                 answered_words(outcome, headline_of(*main, outcome)->accuracy));
  const std::string to_s0 = against_words(main->to_s0, "S\xE2\x82\x80");
  const std::string to_plain = against_words(main->to_plain, baseline_words(data, main->arm));
  if (!to_s0.empty()) text += ": " + to_s0;
  if (!to_plain.empty()) text += (to_s0.empty() ? ": " : ", and ") + to_plain;
  return "<p class=\"verdict\">" + text + ".</p>\n";
}

std::string tile(std::string_view name, const std::string& value_html,
                 const std::string& small_html, std::string_view css_class = {}) {
  return fmt::format(
      "<div class=\"tile\"><span>{}</span><b class=\"{}\">{}</b><small>{}</small></div>",
      escape(name), css_class, value_html, small_html);
}

// Coloured only where the interval excludes zero.
std::string difference_tile(std::string_view name, const std::optional<Difference>& difference) {
  if (!difference) return {};
  const char* direction =
      difference->interval.low > 0 ? "up" : (difference->interval.high < 0 ? "down" : "");
  return tile(name, points(difference->value),
              fmt::format("points, 95&nbsp;% {}", point_interval(difference->interval)), direction);
}

std::string tiles(const ReportData& data) {
  std::string html;
  const StudentResult* main = data.outcome.main();
  if (main != nullptr) {
    if (const SetResult* result = headline_of(*main, data.outcome)) {
      html += tile("Exam accuracy, " + main->label, percent(result->accuracy),
                   "95&nbsp;% " + interval(result->interval));
    }
    html += difference_tile("against S\xE2\x82\x80", main->to_s0);
    html += difference_tile("against plain distillation", main->to_plain);
  }
  const Difficulty& difficulty = data.difficulty;
  if (difficulty.rows > 0) {
    html += tile("Hard instructions", number(difficulty.hard),
                 fmt::format("of {} judged ({})", number(difficulty.rows),
                             percent(static_cast<double>(difficulty.hard) /
                                     static_cast<double>(difficulty.rows))));
  }
  std::int64_t calls = 0;
  for (const StageRow& stage : data.stages) calls += stage.calls;
  html += tile("Time, all sittings", duration(data.run.seconds),
               fmt::format("{} replies, {}", number(calls), money(data.run.usd)));
  return "<div class=\"tiles\">" + html + "</div>\n";
}

std::string accuracy_plot(const ReportData& data) {
  std::vector<DotRow> rows;
  double low = 1;
  double high = 0;
  for (const StudentResult& student : data.outcome.students) {
    const SetResult* result = headline_of(student, data.outcome);
    if (result == nullptr) continue;
    rows.push_back({student.label, arm_class(data, student.arm), result->accuracy, result->interval,
                    percent(result->accuracy)});
    low = std::min(low, result->interval.low);
    high = std::max(high, result->interval.high);
  }
  DotPlotOptions options{.title = "Exam accuracy of S\xE2\x82\x80 and the arms",
                         .description = "Macro accuracy with 95 % intervals",
                         .axis_label = on_own_rows(data.outcome)
                                           ? "rows that reach the recorded answer, % (mean over "
                                             "tasks)"
                                           : "exact answers, % (mean over family and level)"};
  options.low = std::max(0.0, std::floor((low - 0.02) * 20) / 20);
  options.high = std::min(1.0, std::ceil((high + 0.02) * 20) / 20);
  const StudentResult* s0 = data.outcome.find("");
  if (s0 != nullptr && headline_of(*s0, data.outcome) != nullptr) {
    options.reference = headline_of(*s0, data.outcome)->accuracy;
  }
  return card("Exam accuracy", dot_plot(rows, options),
              "Bars: 95&nbsp;% bootstrap intervals, items resampled within family and level. "
              "Dashed: S\xE2\x82\x80.");
}

std::string difference_plot(const ReportData& data, const char* title, const char* note,
                            std::optional<Difference> StudentResult::*difference) {
  std::vector<DotRow> rows;
  double low = 0;
  double high = 0;
  for (const StudentResult& student : data.outcome.students) {
    const auto& value = student.*difference;
    if (!value) continue;
    rows.push_back({student.label, arm_class(data, student.arm), value->value, value->interval,
                    points(value->value)});
    low = std::min(low, value->interval.low);
    high = std::max(high, value->interval.high);
  }
  if (rows.empty()) return {};
  const double margin = std::max(0.01, 0.06 * (high - low));
  DotPlotOptions options{.title = title,
                         .description = "Differences of macro accuracy with 95 % intervals",
                         .axis_label = "difference, percentage points"};
  options.low = low - margin;
  options.high = high + margin;
  options.reference = 0;
  return card(title, dot_plot(rows, options), note);
}

std::string difference_cell(const std::optional<Difference>& difference) {
  if (!difference) return "\xE2\x80\x93";
  return fmt::format("{}<br><small>{}<br>p {}</small>", points(difference->value),
                     point_interval(difference->interval), p_value(difference->p));
}

std::string set_cell(const StudentResult& student, const std::string& set) {
  const auto found = student.sets.find(set);
  return found == student.sets.end() || found->second.items == 0 ? "\xE2\x80\x93"
                                                                 : percent(found->second.accuracy);
}

std::string results_table(const ReportData& data) {
  Table table({{"student", false},
               {"exam accuracy"},
               {"\xE2\x88\x92 S\xE2\x82\x80"},
               {"\xE2\x88\x92 plain"},
               {"\xE2\x88\x92 row above"},
               {"wins against S\xE2\x82\x80"},
               {"judge score"},
               {"pool"},
               {"beyond"},
               {"items"}});
  for (const StudentResult& student : data.outcome.students) {
    const SetResult* result = headline_of(student, data.outcome);
    if (result == nullptr) continue;
    const std::string wins =
        student.to_s0 ? fmt::format("{}<br><small>{}</small>", percent(student.to_s0->win_rate),
                                    interval(student.to_s0->win_interval))
                      : "\xE2\x80\x93";
    table.row({fmt::format("<span class=\"who\"><i class=\"chip {}\"></i>{}</span>",
                           arm_class(data, student.arm), escape(student.label)),
               fmt::format("{}<br><small>{}</small>", percent(result->accuracy),
                           interval(result->interval)),
               difference_cell(student.to_s0), difference_cell(student.to_plain),
               difference_cell(student.to_previous), wins, decimal(result->score, 2),
               set_cell(student, "pool"), set_cell(student, "beyond"), number(result->items)},
              student.main ? "main" : "");
  }
  return card(
      "The same in figures", table.html(),
      std::string(on_own_rows(data.outcome)
                      ? "Accuracy: rows where the judge puts the student's answer no further below "
                        "the recorded one than the threshold; tasks count equally. "
                      : "Accuracy is exact and counts family &times; level cells equally. ") +
          "Differences are paired by "
          "item, in "
          "percentage points, with 95&nbsp;% intervals; p by a sign-flip test. Wins: share of "
          "items "
          "with the higher "
          "judge score, ties half. Pool: the exam drawn as D is; beyond: levels never trained on.");
}

}  // namespace

std::string arm_class(const ReportData& data, std::string_view arm) {
  std::size_t place = 0;
  for (const StudentResult& student : data.outcome.students) {
    if (student.arm == arm) return series_class(arm, student.main, place);
    if (!student.arm.empty()) ++place;
  }
  for (const ArmTokens& tokens : data.tokens) {
    if (tokens.arm == arm) return series_class(arm, arm == kMainArm, place);
    if (!tokens.arm.empty()) ++place;
  }
  return series_class(arm, arm == kMainArm, 0);
}

std::string headline_section(const ReportData& data) {
  std::string body = verdict(data) + tiles(data);
  if (data.outcome.students.empty()) {
    body += not_yet(
        "No student has sat the exam yet: the comparison of S\xE2\x82\x80 and the arms comes with "
        "the "
        "exams.");
    return section("headline", "Outcome", "", body);
  }
  std::vector<std::string> cards = {accuracy_plot(data)};
  const std::string to_plain = difference_plot(
      data, "Against plain distillation", "Plain: random rows of D with the answers as they are.",
      &StudentResult::to_plain);
  const std::string to_s0 =
      difference_plot(data, "Against S\xE2\x82\x80",
                      "S\xE2\x82\x80: the student before the rounds.", &StudentResult::to_s0);
  if (!to_s0.empty()) cards.push_back(to_s0);
  if (!to_plain.empty()) cards.push_back(to_plain);
  if (cards.size() % 2 == 1) {
    cards.front().replace(0, std::string_view("<div class=\"card\">").size(),
                          "<div class=\"card wide\">");
  }
  body += grid(cards) + results_table(data);
  if (data.outcome.main() == nullptr) body += not_yet("The arms have not sat the exam yet.");
  return section("headline", "Outcome", "", body);
}

}  // namespace tapir::report
