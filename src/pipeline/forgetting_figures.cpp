#include "pipeline/forgetting_figures.h"

#include <map>
#include <optional>

#include <fmt/format.h>

namespace tapir::pipeline {
namespace {

Json interval_json(const stats::Interval& interval) { return {interval.low, interval.high}; }

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json change_json(const std::optional<evaluate::Change>& change) {
  if (!change) return nullptr;
  return {{"sets", change->sets},
          {"difference", change->difference},
          {"interval", interval_json(change->interval)},
          {"p", change->p}};
}

Json row_json(const evaluate::ScoreRow& row) {
  Json cells = Json::array();
  for (const auto& cell : row.cells) {
    cells.push_back(cell ? Json{{"items", cell->items},
                                {"accuracy", cell->accuracy},
                                {"interval", interval_json(cell->interval)},
                                {"score", cell->score}}
                         : Json(nullptr));
  }
  return {{"set", row.set},
          {"kind", to_string(row.kind)},
          {"cells", cells},
          {"best", or_null(row.best)},
          {"last_minus_best", or_null(row.last_minus_best)},
          {"last_minus_first", or_null(row.last_minus_first)}};
}

std::string share_text(const Json& cell) {
  return cell.is_null()
             ? fmt::format("{:>20}", "-")
             : fmt::format("{:>6.1f} [{:>4.1f}, {:>5.1f}]", 100 * cell["accuracy"].get<double>(),
                           100 * cell["interval"][0].get<double>(),
                           100 * cell["interval"][1].get<double>());
}

std::string change_text(const char* name, const Json& change) {
  if (change.is_null()) return {};
  return fmt::format("{:<32} {:+.1f} [{:+.1f}, {:+.1f}] points, p {:.3f}, {} sets\n", name,
                     100 * change["difference"].get<double>(),
                     100 * change["interval"][0].get<double>(),
                     100 * change["interval"][1].get<double>(), change["p"].get<double>(),
                     change["sets"].get<std::size_t>());
}

std::string gate_text(const Json& figures) {
  std::string out;
  for (const Json& round : figures.value("gate", Json::array())) {
    const int number = round["round"];
    const int from = round["from"];
    if (from != number - 1)
      out += fmt::format("round {} started from {}\n", number,
                         figures["students"].at(static_cast<std::size_t>(from)).get<std::string>());
    if (round["tripped"].get<bool>())
      out += fmt::format("round {} forgot: {}\n", number, round["words"].get<std::string>());
  }
  return out;
}

std::string row_text(const std::string& name, const Json& cells) {
  std::string out = fmt::format("{:<32}", name);
  for (const Json& cell : cells) out += " " + share_text(cell);
  return out + "\n";
}

}  // namespace

Json forgetting_json(const evaluate::Forgetting& f, const std::string& arm,
                     const std::vector<std::string>& students) {
  Json sets = Json::array();
  for (const evaluate::ScoreRow& row : f.matrix.rows) sets.push_back(row_json(row));
  Json overall = Json::array();
  for (const auto& round : f.overall) {
    overall.push_back(
        round ? Json{{"accuracy", round->accuracy}, {"interval", interval_json(round->interval)}}
              : Json(nullptr));
  }
  return {{"arm", arm},
          {"students", students},
          {"sets", sets},
          {"overall", overall},
          {"backward_transfer", change_json(f.backward_transfer)},
          {"mean_drop", or_null(f.mean_drop)},
          {"general", change_json(f.general)},
          {"instruction", change_json(f.instruction)},
          {"safety", change_json(f.safety)}};
}

Json gate_json(const evaluate::GateWalk& walk) {
  Json rounds = Json::array();
  for (const evaluate::GateRound& round : walk.rounds) {
    rounds.push_back({{"round", round.round},
                      {"from", round.from},
                      {"tripped", round.tripped},
                      {"words", round.words}});
  }
  return rounds;
}

Json forgetting_of_arms(const store::RunStore& store) {
  std::vector<std::string> arms;  // in the order of their first exam
  std::map<std::string, Json> last;
  for (const store::StageRecord& record : store.stages()) {
    if (!record.finished || record.info.empty() || !record.name.starts_with("exam/")) continue;
    const Json info = parse_json(record.info, "info of " + record.name);
    if (!info.contains(kForgettingFigures)) continue;
    const Json& figures = info[kForgettingFigures];
    const std::string arm = figures["arm"];
    if (!last.contains(arm)) arms.push_back(arm);
    Json& kept = last[arm];
    // Stages stand in the order begun, which a round that is done again leaves.
    if (kept.is_null() || kept["students"].size() < figures["students"].size()) kept = figures;
  }
  Json out = Json::array();
  for (const std::string& arm : arms) out.push_back(last[arm]);
  return out;
}

std::string forgetting_text(const Json& figures) {
  std::string out =
      fmt::format("forgetting, arm {}: right after S_0 and every round, %, with 95 % intervals\n",
                  figures["arm"].get<std::string>());
  for (const Json& row : figures["sets"]) {
    const std::string kind = row["kind"];
    const std::string name = row["set"];
    out += row_text(kind == "own" ? name : fmt::format("{} ({})", name, kind), row["cells"]);
  }
  out += row_text("overall", figures["overall"]);
  out += change_text("backward transfer", figures["backward_transfer"]) +
         change_text("general delta", figures["general"]) +
         change_text("instruction delta", figures["instruction"]) +
         change_text("safety delta", figures["safety"]);
  return out + gate_text(figures);
}

}  // namespace tapir::pipeline
