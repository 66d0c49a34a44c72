// What the stage "floor" left about the new instructions.
#include "report/gather.h"

namespace tapir::report {

void gather_floor(const store::RunStore& store, int round, ArmTeaching& teaching) {
  const auto stage = store.stage(teaching.arm + "/round-" + std::to_string(round) + "/floor");
  const Json info = stage ? read_info(stage->info) : Json();
  if (!info.is_object() || !info.contains("floor") || !info["floor"].is_object()) return;
  const Json& floor = info["floor"];
  if (!floor.contains("tasks") || !floor["tasks"].is_object()) return;
  teaching.floor_score = figure(floor, "score", 0.0);
  for (const auto& [task, figures] : floor["tasks"].items()) {
    if (!figures.is_object()) continue;
    FloorRow row{.task = task, .round = round};
    row.rows = figure(figures, "rows", row.rows);
    row.judged = figure(figures, "judged", row.judged);
    row.filtered = figure(figures, "filtered", row.filtered);
    row.mean = figure(figures, "mean", row.mean);
    row.interval = {figure(figures, "low", 1.0), figure(figures, "high", 10.0)};
    row.hard_share = figure(figures, "hard_share", row.hard_share);
    row.hard_interval = {figure(figures, "hard_low", 0.0), figure(figures, "hard_high", 1.0)};
    const auto verdict = figures.find("verdict");
    if (verdict != figures.end() && verdict->is_string()) row.verdict = verdict->get<std::string>();
    teaching.floor.push_back(std::move(row));
  }
}

}  // namespace tapir::report
