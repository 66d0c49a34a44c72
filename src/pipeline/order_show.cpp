// The figures of `tapir eval order` for programs and for people.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "pipeline/order_trial.h"

namespace tapir::pipeline {
namespace {

constexpr double kAlpha = 0.05;

Json interval_json(const stats::Interval& interval) { return {interval.low, interval.high}; }

Json row_json(const evaluate::OrderRow& row) {
  return {{"set", row.set},     {"kind", to_string(row.kind)},
          {"items", row.items}, {"means", row.means},
          {"mean", row.mean},   {"range", row.range},
          {"sd", row.sd},       {"sd_by_chance", row.sd_by_chance},
          {"p", row.p},         {"p_holm", row.p_holm}};
}

Json measure_json(const OrderMeasure& measure) {
  const evaluate::OrderFigures& f = measure.figures;
  Json sets = Json::array();
  for (const evaluate::OrderRow& row : f.sets) sets.push_back(row_json(row));
  Json pairs = Json::array();
  for (const evaluate::OrderPair& pair : f.pairs) {
    pairs.push_back({{"orders", {pair.a + 1, pair.b + 1}},
                     {"difference", pair.difference},
                     {"interval", interval_json(pair.interval)},
                     {"p", pair.p},
                     {"p_holm", pair.p_holm}});
  }
  return {{"measure", measure.name},
          {"sets", sets},
          {"overall", f.overall ? row_json(*f.overall) : Json(nullptr)},
          {"expected", f.overall ? interval_json(f.expected) : Json(nullptr)},
          {"smallest_difference", f.smallest_difference},
          {"pairs", pairs}};
}

// Shares are shown in percent.
struct Unit {
  double scale = 1;
  int digits = 3;
  std::string show(double value) const { return fmt::format("{:.{}f}", scale * value, digits); }
};

Unit unit_of(const OrderMeasure& measure) {
  return measure.name == "accuracy" ? Unit{100, 1} : Unit{};
}

std::string row_text(const evaluate::OrderRow& row, const Unit& unit) {
  const std::string name = row.kind == evaluate::SetKind::own
                               ? row.set
                               : fmt::format("{} ({})", row.set, to_string(row.kind));
  std::string out = fmt::format("{:<28}{:>6}", name, row.items);
  for (const double mean : row.means) out += fmt::format("{:>8}", unit.show(mean));
  return out + fmt::format("{:>8}{:>8}{:>8}{:>8.3f}\n", unit.show(row.range), unit.show(row.sd),
                           unit.show(row.sd_by_chance), row.p_holm);
}

std::string verdict(const evaluate::OrderFigures& f, const Unit& unit) {
  if (!f.overall) return "";
  const std::size_t orders = f.overall->means.size();
  std::string out;
  if (f.overall->p < kAlpha) {
    out = fmt::format(
        "Order matters here: these {} orders differ by more than the choice of items explains "
        "(p {:.3f}).\n",
        orders, f.overall->p);
    for (const evaluate::OrderPair& pair : f.pairs) {
      if (pair.p_holm >= kAlpha) continue;
      out += fmt::format("  order {} less order {}: {} ({} to {}), p {:.3f} after Holm\n",
                         pair.a + 1, pair.b + 1, unit.show(pair.difference),
                         unit.show(pair.interval.low), unit.show(pair.interval.high), pair.p_holm);
    }
  } else {
    out = fmt::format(
        "No sign that order matters: the choice of items alone would make these {} orders differ "
        "as much (p {:.3f}).\nThat is no proof that it does not: two orders that are {} apart are "
        "told apart four times in five by these items, closer ones more rarely.\n",
        orders, f.overall->p, unit.show(f.smallest_difference));
  }
  if (std::isfinite(f.expected.low)) {
    out += fmt::format(
        "Mean over all orders there might be: {} to {} (95 %, by Student's t of {} orders, on "
        "these items).\n",
        unit.show(f.expected.low), unit.show(f.expected.high), orders);
  }
  return out;
}

std::string measure_text(const OrderMeasure& measure) {
  const Unit unit = unit_of(measure);
  const bool accuracy = measure.name == "accuracy";
  std::string out = accuracy ? "accuracy, % (higher is better)\n"
                             : "loss on recorded answers (lower is better)\n";
  out += fmt::format("{:<28}{:>6}", "set", "items");
  const auto& sets = measure.figures.sets;
  const std::size_t orders = sets.empty() ? 0 : sets.front().means.size();
  for (std::size_t order = 1; order <= orders; ++order) out += fmt::format("{:>8}", order);
  out += fmt::format("{:>8}{:>8}{:>8}{:>8}\n", "range", "sd", "chance", "p");
  for (const evaluate::OrderRow& row : sets) out += row_text(row, unit);
  if (measure.figures.overall) out += row_text(*measure.figures.overall, unit);
  return out + verdict(measure.figures, unit);
}

}  // namespace

Json order_json(const OrderTrial& trial) {
  Json orders = Json::array();
  for (const OrderStudent& student : trial.students) {
    orders.push_back({{"order", student.name},
                      {"steps", student.steps},
                      {"tokens", student.tokens},
                      {"seconds", student.seconds},
                      {"folder", student.folder.string()}});
  }
  Json measures = Json::array();
  for (const OrderMeasure& measure : trial.measures) measures.push_back(measure_json(measure));
  return {{"arm", trial.arm},
          {"round", trial.round},
          {"seed", trial.seed},
          {"orders", orders},
          {"measures", measures}};
}

std::string order_text(const OrderTrial& trial) {
  std::string out =
      fmt::format("round {} of arm {}, the same rows in {} orders; 1 is the run's own\n",
                  trial.round, trial.arm, trial.students.size());
  for (const OrderMeasure& measure : trial.measures) out += "\n" + measure_text(measure);
  return out +
         "\nchance: the sd if it were chance, item by item, which order got which result; p of "
         "that, "
         "of sets after Holm.\nJudged scores are not compared: that would ask the judge again for "
         "every order.\n";
}

}  // namespace tapir::pipeline
