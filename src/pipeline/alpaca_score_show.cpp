// What `tapir eval alpaca score` shows.
#include <cmath>

#include <fmt/format.h>

#include "base/error.h"
#include "pipeline/alpaca_score_files.h"

namespace tapir::pipeline {
namespace {

Json number_or_null(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
}

Json weights_json(const evaluate::LengthControlWeights& weights) {
  return {{"length", weights.length}, {"difficulty", weights.difficulty}, {"model", weights.model}};
}

Json length_control_json(const AlpacaModelScore& score) {
  Json lc = {{"method", to_string(score.method)},
             {"weights", score.weights ? weights_json(*score.weights) : Json(nullptr)}};
  if (score.fit) {
    lc["c"] = score.fit->c;
    lc["c_by"] = score.fit->candidates.empty() ? "given" : "cross-validation";
    lc["objective"] = score.fit->objective;
    lc["converged"] = score.fit->converged;
    lc["candidates"] = score.fit->candidates;
    lc["losses"] = score.fit->losses;
    lc["seconds"] = score.fit_seconds;
  }
  return lc;
}

Json model_json(const AlpacaModelScore& score) {
  const evaluate::LeaderboardRow& row = score.row;
  const evaluate::JoinedModel& joined = score.joined;
  Json json = {{"name", row.name},
               {"win_rate", row.rates.win_rate},
               {"standard_error", row.rates.standard_error},
               {"n_wins", row.rates.n_wins},
               {"n_wins_base", row.rates.n_wins_base},
               {"n_draws", row.rates.n_draws},
               {"n_total", row.rates.n_total},
               {"discrete_win_rate", row.rates.discrete_win_rate},
               {"mode", row.mode},
               {"avg_length", row.avg_length},
               {"length_controlled_winrate", number_or_null(row.length_controlled_winrate)},
               {"lc_standard_error", number_or_null(row.lc_standard_error)},
               {"baseline", score.baseline},
               {"judge", score.annotator},
               {"lc", length_control_json(score)},
               {"missing_rows", joined.missing.count},
               {"missing_preferences", joined.no_preference.count + joined.out_of_range.count},
               {"unknown_rows", joined.unknown.count},
               {"duplicate_rows", joined.duplicates.count},
               {"comparable", score.not_comparable.empty()},
               {"recomputed_difference", score.largest_recomputed_difference}};
  if (!score.not_comparable.empty()) json["not_comparable"] = score.not_comparable;
  if (!score.repeated.empty()) {
    json["repeats"] = {{"win_rates", score.repeated},
                       {"low", score.repeated_interval.low},
                       {"high", score.repeated_interval.high}};
  }
  if (score.published) {
    json["published"] = {
        {"win_rate", score.published->rates.win_rate},
        {"length_controlled_winrate", number_or_null(score.published->length_controlled_winrate)}};
  }
  return json;
}

std::string rate_text(const std::optional<double>& rate, const std::optional<double>& error) {
  if (!rate || !std::isfinite(*rate)) return "-";
  return error ? fmt::format("{:.2f} +- {:.2f}", *rate, *error) : fmt::format("{:.2f}", *rate);
}

// How far judges other than the leaderboard's are from it, on the published models among these.
std::string distance_text(const AlpacaScores& scores) {
  double raw = 0;
  double controlled = 0;
  int count = 0;
  for (const AlpacaModelScore& score : scores.models) {
    const auto& lc = score.row.length_controlled_winrate;
    if (!score.published || !score.published->length_controlled_winrate || !lc) continue;
    raw += score.row.rates.win_rate - score.published->rates.win_rate;
    controlled += *lc - *score.published->length_controlled_winrate;
    ++count;
  }
  if (count == 0) return {};
  return fmt::format(
      "from the published figures of {} model{}: LC {:+.2f}, win rate {:+.2f} points on average\n",
      count, count == 1 ? "" : "s", controlled / count, raw / count);
}

}  // namespace

Json alpaca_scores_json(const AlpacaScores& scores) {
  Json models = Json::array();
  for (const AlpacaModelScore& score : scores.models) models.push_back(model_json(score));
  return {{"models", std::move(models)}, {"left_out", scores.left_out}, {"notes", scores.notes}};
}

std::string alpaca_scores_text(const AlpacaScores& scores) {
  std::string text = fmt::format("{:<32} {:>15} {:>15} {:>5} {:>6}  {}\n", "", "LC win rate",
                                 "win rate", "n", "length", "");
  for (const AlpacaModelScore& score : scores.models) {
    const evaluate::LeaderboardRow& row = score.row;
    text += fmt::format("{:<32} {:>15} {:>15} {:>5} {:>6}  {}\n", row.name,
                        rate_text(row.length_controlled_winrate, row.lc_standard_error),
                        rate_text(row.rates.win_rate, row.rates.standard_error), row.rates.n_total,
                        row.avg_length,
                        score.not_comparable.empty()
                            ? ""
                            : "not comparable with the leaderboard: " + score.not_comparable);
    if (!score.repeated.empty()) {
      text += fmt::format("{:<32} {:>15} {:.2f} to {:.2f} over {} repeats of the judge\n", "", "",
                          score.repeated_interval.low, score.repeated_interval.high,
                          score.repeated.size());
    }
  }
  return text + distance_text(scores);
}

Json alpaca_head_to_head(const AlpacaScores& scores) {
  std::vector<std::string> names;
  std::vector<evaluate::LengthControlWeights> weights;
  for (const AlpacaModelScore& score : scores.models) {
    if (score.baseline != scores.models.front().baseline) {
      throw Error(ErrorKind::usage, "head to head needs one baseline; " + score.row.name +
                                        " was judged against " + score.baseline + ", " +
                                        scores.models.front().row.name + " against " +
                                        scores.models.front().baseline);
    }
    if (!score.weights || score.row.name == score.baseline) continue;
    names.push_back(score.row.name);
    weights.push_back(*score.weights);
  }
  if (!scores.models.empty()) {
    names.push_back(scores.models.front().baseline);
    weights.emplace_back();
  }
  Json matrix = Json::array();
  for (const auto& a : weights) {
    Json row = Json::array();
    for (const auto& b : weights) {
      row.push_back(
          evaluate::percent_mean(evaluate::length_controlled_shares(a, b, scores.difficulties))
              .mean);
    }
    matrix.push_back(std::move(row));
  }
  return {{"models", names}, {"win_rate", std::move(matrix)}};
}

std::string alpaca_head_to_head_text(const Json& table) {
  const auto names = table.at("models").get<std::vector<std::string>>();
  const auto rates = table.at("win_rate").get<std::vector<std::vector<double>>>();
  std::string text = "LC win rate of the row against the column:\n";
  for (std::size_t i = 0; i < names.size(); ++i) text += fmt::format("{:>4} {}\n", i + 1, names[i]);
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += fmt::format("{:>4}", i + 1);
    for (const double rate : rates[i]) text += fmt::format(" {:6.2f}", rate);
    text += "\n";
  }
  return text;
}

}  // namespace tapir::pipeline
