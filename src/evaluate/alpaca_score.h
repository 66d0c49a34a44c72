// Win rates of AlpacaEval 2.0 from preferences. Pure functions; the same figures as alpaca_eval
// 0.6.6 (metrics/helpers.py: describe_head2head; metrics/glm_winrate.py). Rates are in percent, the
// model's against the baseline.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stats/l1_logistic.h"

namespace tapir::evaluate {

struct WinRates {
  double win_rate = 0;           // mean preference - 1
  double standard_error = 0;     // of it; 0 for fewer than two rows
  double discrete_win_rate = 0;  // wins and half of the draws
  std::int64_t n_wins = 0;       // preference above 1.5
  std::int64_t n_wins_base = 0;
  std::int64_t n_draws = 0;  // exactly 1.5
  std::int64_t n_total = 0;  // rows with a preference
};
// Rows without a preference, or with one outside [1, 2], are left out.
WinRates win_rates(std::span<const std::optional<double>> preferences);

// Of a judge that was asked several times: the win rate of each time alone. A row without repeats
// (equal outputs) counts with its preference every time. Empty when rows were repeated differently
// often, or none more than once. REQUIRES: as many preferences as repeats.
std::vector<double> win_rates_by_repeat(std::span<const std::vector<double>> repeats,
                                        std::span<const std::optional<double>> preferences);

// Mean and its standard error (0 for fewer than two), in percent.
struct PercentMean {
  double mean = 0;
  double standard_error = 0;
};
PercentMean percent_mean(std::span<const double> shares);

// ---- the length-controlled (LC) win rate ----

// A comparison of the model with the baseline on one instruction.
struct LengthRow {
  double delta_length = 0;      // code points of output 1 - code points of output 2
  double difficulty = 0;        // of the instruction; not looked at when the features leave it out
  std::optional<double> share;  // preference - 1, [0, 1]; nothing: left out of the fit only
};

// A comparison that is fitted along, so that the length term means the same for all models:
// upstream's df_gamed.csv, GPT-4 told to be concise and to be verbose.
struct RegularizationRow {
  double std_delta_length = 0;  // standardised already
  double difficulty = 0;
  std::optional<double> share;
  bool not_gamed = false;  // false: without the model's own term, and with the lower weight
};

// Coefficients of one model; a term that was left out is 0. Upstream's columns:
// np.tanh(std_delta_len), instruction_difficulty, not_gamed_baseline.astype(float).
struct LengthControlWeights {
  double length = 0;
  double difficulty = 0;
  double model = 0;
};

struct LengthControlOptions {
  bool use_difficulty = true;
  double regularization_weight = 0.1;  // of a gamed row; upstream: 0.2 shared by two runs
  std::optional<double> c;             // nothing: chosen by cross-validation
  int folds = 5;
};

struct LengthControlFit {
  LengthControlWeights weights;
  double c = 0;
  double objective = 0;
  bool converged = false;
  std::vector<double> candidates, losses;  // of the cross-validation; empty when c was given
};

// The design matrix of the fit: [tanh(standardised length difference), difficulty, model] or,
// without difficulty, the first and the last. Regularisation rows come first. Lengths are divided
// by their sample standard deviation over all rows; when that is 0 the term is 0.
stats::LogisticRows length_control_rows(std::span<const LengthRow> rows,
                                        std::span<const RegularizationRow> regularization,
                                        const LengthControlOptions& options);

// Nothing when there are too few rows: fewer than two with a preference.
std::optional<LengthControlFit> fit_length_control(
    std::span<const LengthRow> rows, std::span<const RegularizationRow> regularization,
    const LengthControlOptions& options);

// The win probability on each instruction if both outputs were of one length: of model a against
// model b, whose weights were fitted against the same baseline. The baseline's own weights are all
// 0.
std::vector<double> length_controlled_shares(const LengthControlWeights& a,
                                             const LengthControlWeights& b,
                                             std::span<const double> difficulties);

// ---- a user's own set: difficulty from several models ----

// One comparison: model and instruction as numbers from 0.
struct JointRow {
  std::size_t model = 0;
  std::size_t instruction = 0;
  double std_delta_length = 0;  // standardised within the model
  double share = 0;             // preference - 1
};
// How easy each instruction is for all models together (high: they win there): the d_i of
//   logit P(model m wins on i) = a_m + l_m tanh(length difference) + d_i,
// fitted jointly with a penalty of ridge * d_i^2 / 2, mean 0. [instructions]; an instruction
// without rows has 0. REQUIRES: ridge > 0.
std::vector<double> joint_difficulty(std::span<const JointRow> rows, std::size_t models,
                                     std::size_t instructions, double ridge = 1);

}  // namespace tapir::evaluate
