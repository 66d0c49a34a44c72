// `tapir eval alpaca score`: AlpacaEval 2.0 figures from annotations that are there; asks nobody.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "evaluate/alpaca_join.h"
#include "evaluate/alpaca_score.h"
#include "evaluate/alpaca_tables.h"
#include "stats/intervals.h"

namespace tapir::pipeline {

// How the length-controlled win rate is reached.
enum class LcMethod {
  full,      // difficulty and regularisation rows: the leaderboard's
  noreg,     // difficulty, no regularisation rows
  minimal,   // neither
  joint,     // difficulty fitted from the models given
  published  // coefficients from a file
};
std::string_view to_string(LcMethod method);

struct AlpacaScoreOptions {
  std::vector<std::string> annotations;  // files; .gz and - are taken too
  std::string instructions;    // the evaluation set in its official order; empty: as the rows come
  std::string difficulty;      // instruction_difficulty.csv
  std::string regularization;  // df_gamed.csv
  std::string weights;         // published coefficients: nothing is fitted
  std::string leaderboard;     // published figures to compare with
  std::string data_dir;        // upstream's files by their names, where the paths above are empty
  bool joint = false;          // LcMethod::joint
  std::optional<double> c;     // nothing: chosen by cross-validation
  std::string baseline;        // LC win rates against this model instead; empty: as judged
  std::vector<std::string> models;  // only these; empty: all
  evaluate::Duplicates duplicates = evaluate::Duplicates::error;
  bool allow_missing = false;  // instructions or preferences may be missing
  bool drop_unknown = false;   // rows whose instruction is not in the set are left out
  bool recompute = false;      // preferences from the judges' recorded replies
  std::string encoding = "utf-8";
  std::string output;  // folder for leaderboard.csv, weights.csv, annotations.json; empty: none
};

struct AlpacaModelScore {
  evaluate::LeaderboardRow row;
  std::string baseline, annotator;
  LcMethod method = LcMethod::minimal;
  std::optional<evaluate::LengthControlWeights> weights;  // nothing: too few rows
  std::optional<evaluate::LengthControlFit> fit;          // nothing: not fitted
  std::vector<double> shares;                             // LC, in the order of places
  std::vector<std::size_t> places;
  evaluate::JoinedModel joined;
  // Of a judge that was asked several times: the win rate of each, and the interval of their mean.
  std::vector<double> repeated;
  stats::Interval repeated_interval;
  double fit_seconds = 0;                    // choosing C and fitting
  double largest_recomputed_difference = 0;  // of a preference, when recomputed
  std::string not_comparable;                // why not with the leaderboard; empty: it is
  std::optional<evaluate::LeaderboardRow> published;
};

struct AlpacaScores {
  std::vector<AlpacaModelScore> models;
  std::vector<std::string> left_out;  // models of the files that were not asked for
  std::vector<std::string> notes;     // for people, one a line: what was decided by a flag
  std::vector<double> difficulties;   // by place, zeros where they are not used
  evaluate::WeightTable published;    // coefficients from a file; empty: none
  bool complete = true;               // no row and no preference is missing
};

// Error{data} naming and counting them: rows that come twice or whose instruction is not in the
// set, without the flag that decides; Error{usage}: difficulties without the official order.
AlpacaScores score_alpaca(const AlpacaScoreOptions& options);

// {"models": [{"name", upstream's columns, "baseline", "judge", "lc", "missing", ...}], "left_out"}
Json alpaca_scores_json(const AlpacaScores& scores);
std::string alpaca_scores_text(const AlpacaScores& scores);

// LC win rate of each model (row) against each (column), the baseline last: {"models", "win_rate"}.
// Error{usage} when the models were judged against different baselines.
Json alpaca_head_to_head(const AlpacaScores& scores);
std::string alpaca_head_to_head_text(const Json& table);

}  // namespace tapir::pipeline
