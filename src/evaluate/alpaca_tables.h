// The tables of AlpacaEval 2.0 as upstream keeps them: instruction_difficulty.csv, df_gamed.csv,
// the published weights, leaderboard.csv. Pure functions on their texts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "evaluate/alpaca_score.h"

namespace tapir::evaluate {

// By the instruction's place in the official order, from 0. Columns: the place (any name, first),
// "instruction_difficulty". Error{data} with the line: a place that is missing or comes twice, no
// number.
std::vector<double> read_difficulties(const std::string& text, const std::string& name);

// Columns: "std_delta_len", "instruction_difficulty", "preference" (or another that begins so) as a
// share in [0, 1], "not_gamed_baseline"; others are passed over.
std::vector<RegularizationRow> read_regularization(const std::string& text,
                                                   const std::string& name);
// The same file says the difficulties too: by its column "index".
std::vector<double> difficulties_of_regularization(const std::string& text,
                                                   const std::string& name);

using WeightTable = std::map<std::string, LengthControlWeights>;  // by model
WeightTable read_weights(const std::string& text, const std::string& name);
std::string weights_csv(const WeightTable& weights);

// A row of leaderboard.csv.
struct LeaderboardRow {
  std::string name;
  WinRates rates;
  std::string mode = "community";  // upstream's word for who vouches for the row
  std::int64_t avg_length = 0;     // of output 2, code points, rounded down
  std::optional<double> length_controlled_winrate;
  std::optional<double> lc_standard_error;
};
// Rows as they stand; a table without LC columns (AlpacaEval 1) has none.
std::vector<LeaderboardRow> read_leaderboard(const std::string& text, const std::string& name);
// Upstream's columns and order: the highest LC win rate first, rows without one at the end.
std::string leaderboard_csv(std::vector<LeaderboardRow> rows);

}  // namespace tapir::evaluate
