// What the rounds broke: the run's own figures, as the pipeline keeps them in the info of every
// round's exam (pipeline/forgetting_figures.h).
#include "report/gather.h"

namespace tapir::report {
namespace {

std::optional<double> maybe(const Json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

std::optional<ForgettingCell> cell_of(const Json& cell) {
  if (cell.is_null()) return std::nullopt;
  return ForgettingCell{cell.at("accuracy").get<double>(), interval_of(cell.at("interval")),
                        figure<std::int64_t>(cell, "items", 0)};
}

std::vector<std::optional<ForgettingCell>> cells_of(const Json& cells) {
  std::vector<std::optional<ForgettingCell>> out;
  for (const Json& cell : cells) out.push_back(cell_of(cell));
  return out;
}

std::optional<ForgettingChange> change_of(const Json& change) {
  if (change.is_null()) return std::nullopt;
  return ForgettingChange{change.at("sets").get<std::int64_t>(),
                          change.at("difference").get<double>(), interval_of(change.at("interval")),
                          change.at("p").get<double>()};
}

ArmForgetting forgetting_of(const Json& figures, const Arms& arms) {
  ArmForgetting out;
  out.arm = figures.at("arm").get<std::string>();
  out.main = out.arm == arms.main;
  out.students = figures.at("students").get<std::vector<std::string>>();
  for (const Json& row : figures.at("sets")) {
    out.rows.push_back({row.at("set").get<std::string>(), row.at("kind").get<std::string>(),
                        cells_of(row.at("cells")), maybe(row.at("best")),
                        maybe(row.at("last_minus_best")), maybe(row.at("last_minus_first"))});
  }
  out.overall = cells_of(figures.at("overall"));
  out.backward_transfer = change_of(figures.at("backward_transfer"));
  out.mean_drop = maybe(figures.at("mean_drop"));
  out.general = change_of(figures.at("general"));
  out.instruction = change_of(figures.at("instruction"));
  out.safety = change_of(figures.at("safety"));
  for (const Json& round : figures.value("gate", Json::array())) {
    out.gate.push_back(
        {round.at("round").get<int>(), round.at("from").get<int>(),
         round.at("tripped").get<bool>() ? round.at("words").get<std::string>() : std::string()});
  }
  return out;
}

}  // namespace

std::vector<ArmForgetting> gather_forgetting(const store::RunStore& store, const Arms& arms) {
  std::vector<ArmForgetting> result;
  for (const std::string& arm : arms.names) {
    std::optional<ArmForgetting> last;
    for (const store::StageRecord& stage : store.stages()) {
      const Json info = read_info(stage.info);
      if (!info.is_object() || !info.contains("forgetting")) continue;
      if (info["forgetting"].at("arm") != arm) continue;
      ArmForgetting found = forgetting_of(info["forgetting"], arms);
      // Stages stand in the order begun, which a round that is done again leaves.
      if (!last || found.students.size() > last->students.size()) last = std::move(found);
    }
    if (last && !last->rows.empty()) result.push_back(std::move(*last));
  }
  return result;
}

}  // namespace tapir::report
