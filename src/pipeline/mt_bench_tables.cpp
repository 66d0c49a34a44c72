#include "pipeline/mt_bench_tables.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace tapir::pipeline {
namespace {

using evaluate::MtComparison;
using evaluate::MtScore;
using evaluate::MtWinRate;

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }
Json finite(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json json_of(const MtScore& s) {
  Json by_category = Json::object();
  for (const auto& [category, mean] : s.by_category) by_category[category] = or_null(mean);
  Json out = {{"model", s.model},
              {"judge", s.judge},
              {"turn1", or_null(s.turn1)},
              {"turn2", or_null(s.turn2)},
              {"average", or_null(s.average)},
              {"low", finite(s.interval.low)},
              {"high", finite(s.interval.high)},
              {"by_category", by_category},
              {"judgments", s.judgments},
              {"failed", s.failed},
              {"missing", s.missing},
              {"out_of_range", s.out_of_range},
              {"misread", s.misread}};
  if (!s.reference_set.empty()) out["reference_set"] = s.reference_set;
  if (s.average_without_wrong_references)
    out["average_without_wrong_references"] = *s.average_without_wrong_references;
  if (s.repeats.size() > 1) {
    out["repeats"] = {{"averages", s.repeats},
                      {"low", finite(s.repeat_interval.low)},
                      {"high", finite(s.repeat_interval.high)}};
  }
  return out;
}

Json json_of(const MtComparison& c) {
  Json out = {{"model", c.model},
              {"baseline", c.baseline},
              {"judge", c.judge},
              {"difference", c.difference},
              {"low", c.interval.low},
              {"high", c.interval.high},
              {"p", c.p},
              {"p_holm", c.p_holm},
              {"questions", c.questions},
              {"unpaired", c.unpaired},
              {"smallest_difference_shown", c.shown}};
  if (!c.reference_set.empty()) out["reference_set"] = c.reference_set;
  if (c.p_equivalent) out["p_equivalent"] = *c.p_equivalent;
  return out;
}

Json json_of(const MtWinRate& r) {
  return {{"model", r.model},
          {"judge", r.judge},
          {"win", r.win},
          {"loss", r.loss},
          {"tie", r.tie},
          {"disagree", r.disagree},
          {"failed", r.failed},
          {"win_rate_adjusted", or_null(r.adjusted)},
          {"low", finite(r.interval.low)},
          {"high", finite(r.interval.high)}};
}

Json json_of(const evaluate::MtAgreement& a) {
  return {{"a", a.judge_a},
          {"b", a.judge_b},
          {"both", a.both},
          {"difference", a.difference},
          {"low", finite(a.interval.low)},
          {"high", finite(a.interval.high)},
          {"within_one", a.within_one},
          {"correlation", or_null(a.correlation)}};
}

template <typename Row>
Json list_of(const std::vector<Row>& rows) {
  Json list = Json::array();
  for (const Row& row : rows) list.push_back(json_of(row));
  return list;
}

std::string two_digits(const std::optional<double>& value) {
  return value ? fmt::format("{:.2f}", *value) : "-";
}

std::string bounds(const stats::Interval& interval) {
  if (!std::isfinite(interval.low)) return "-";
  return fmt::format("{:.2f} to {:.2f}", interval.low, interval.high);
}

// Of a p-value: what the digits can carry.
std::string p_text(double p) { return p < 0.0001 ? "<0.0001" : fmt::format("{:.4f}", p); }

// Columns as wide as their longest cell; the first `left` of them left-aligned.
std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t left) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += "  ";
      line += i < left ? fmt::format("{:<{}}", row[i], widths[i])
                       : fmt::format("{:>{}}", row[i], widths[i]);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::vector<const MtScore*> best_first(const std::vector<MtScore>& scores) {
  std::vector<const MtScore*> order;
  for (const MtScore& score : scores) order.push_back(&score);
  std::stable_sort(order.begin(), order.end(), [](const MtScore* a, const MtScore* b) {
    return a->average.value_or(0) > b->average.value_or(0);
  });
  return order;
}

std::string judge_name(const MtScore& score) {
  return score.reference_set.empty() ? score.judge : score.judge + "/" + score.reference_set;
}

std::string scores_text(const std::vector<MtScore>& scores) {
  std::vector<std::vector<std::string>> rows = {{"model", "judge", "turn 1", "turn 2", "average",
                                                 "95 %", "without wrong references", "judgments",
                                                 "failed", "missing"}};
  for (const MtScore* s : best_first(scores)) {
    rows.push_back({s->model, judge_name(*s), two_digits(s->turn1), two_digits(s->turn2),
                    two_digits(s->average), bounds(s->interval),
                    two_digits(s->average_without_wrong_references), std::to_string(s->judgments),
                    std::to_string(s->failed), std::to_string(s->missing)});
  }
  return table(rows, 2);
}

std::string categories_text(const std::vector<MtScore>& scores,
                            const evaluate::MtCategories& categories) {
  std::vector<std::string> names;
  for (const auto& [id, category] : categories) {
    if (std::find(names.begin(), names.end(), category) == names.end()) names.push_back(category);
  }
  std::vector<std::vector<std::string>> rows = {{"model", "judge"}};
  rows.front().insert(rows.front().end(), names.begin(), names.end());
  for (const MtScore* s : best_first(scores)) {
    rows.push_back({s->model, judge_name(*s)});
    for (const std::string& name : names) {
      const auto found = s->by_category.find(name);
      rows.back().push_back(
          two_digits(found == s->by_category.end() ? std::nullopt : found->second));
    }
  }
  return table(rows, 2);
}

std::string repeats_text(const std::vector<MtScore>& scores) {
  std::string out;
  for (const MtScore& s : scores) {
    if (s.repeats.size() < 2) continue;
    std::string averages;
    for (const double average : s.repeats) averages += fmt::format(" {:.2f}", average);
    out += fmt::format("{} by {}, judged {} times:{}; by the judge's chance alone {}\n", s.model,
                       judge_name(s), s.repeats.size(), averages, bounds(s.repeat_interval));
  }
  return out;
}

std::string comparisons_text(const std::vector<MtComparison>& comparisons) {
  std::vector<std::vector<std::string>> rows = {
      {"model", "judge", "difference", "95 %", "p", "p (Holm)", "questions", "unpaired", "shown"}};
  for (const MtComparison& c : comparisons) {
    rows.push_back({c.model, c.judge, fmt::format("{:+.2f}", c.difference), bounds(c.interval),
                    p_text(c.p), p_text(c.p_holm), std::to_string(c.questions),
                    std::to_string(c.unpaired), fmt::format("{:.2f}", c.shown)});
    if (c.p_equivalent) rows.back().push_back(p_text(*c.p_equivalent));
  }
  if (comparisons.front().p_equivalent) rows.front().push_back("p (equivalent)");
  return "against " + comparisons.front().baseline +
         " (shown: the smallest true difference that so many questions show in 4 of 5 cases)\n" +
         table(rows, 2);
}

std::string agreement_text(const std::vector<evaluate::MtAgreement>& agreement) {
  std::vector<std::vector<std::string>> rows = {
      {"judges", "turns", "difference", "95 %", "within 1 point", "correlation"}};
  for (const auto& a : agreement) {
    rows.push_back({a.judge_a + ", " + a.judge_b, std::to_string(a.both),
                    fmt::format("{:+.2f}", a.difference), bounds(a.interval),
                    fmt::format("{:.0f} %", 100 * a.within_one), two_digits(a.correlation)});
  }
  return table(rows, 1);
}

std::string pairs_text(const std::vector<MtWinRate>& rates) {
  std::vector<std::vector<std::string>> rows = {
      {"model", "judge", "win", "loss", "tie", "orders disagree", "failed", "win rate", "95 %"}};
  for (const MtWinRate& r : rates) {
    rows.push_back({r.model, r.judge, std::to_string(r.win), std::to_string(r.loss),
                    std::to_string(r.tie), std::to_string(r.disagree), std::to_string(r.failed),
                    two_digits(r.adjusted), bounds(r.interval)});
  }
  return table(rows, 2);
}

}  // namespace

Json to_json(const MtTables& tables) {
  Json out = {{"models", list_of(tables.scores)}};
  if (!tables.comparisons.empty()) out["comparisons"] = list_of(tables.comparisons);
  if (!tables.agreement.empty()) out["judges"] = list_of(tables.agreement);
  if (!tables.win_rates.empty()) out["pairs"] = list_of(tables.win_rates);
  return out;
}

std::string to_text(const MtTables& tables, const evaluate::MtCategories& categories) {
  std::vector<std::string> parts;
  if (!tables.scores.empty()) {
    parts.push_back(scores_text(tables.scores));
    parts.push_back(categories_text(tables.scores, categories));
  }
  const std::string repeats = repeats_text(tables.scores);
  if (!repeats.empty()) parts.push_back(repeats);
  if (!tables.comparisons.empty()) parts.push_back(comparisons_text(tables.comparisons));
  if (!tables.agreement.empty()) parts.push_back(agreement_text(tables.agreement));
  if (!tables.win_rates.empty()) parts.push_back(pairs_text(tables.win_rates));
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : "\n") + part;
  return out;
}

}  // namespace tapir::pipeline
