#include "evaluate/alpaca_score.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "evaluate/alpaca_records.h"
#include "stats/intervals.h"

namespace tapir::evaluate {

PercentMean percent_mean(std::span<const double> shares) {
  if (shares.empty()) return {};
  return {100 * stats::mean(shares),
          100 * stats::sample_sd(shares) / std::sqrt(static_cast<double>(shares.size()))};
}

WinRates win_rates(std::span<const std::optional<double>> preferences) {
  WinRates rates;
  std::vector<double> shares;
  for (const std::optional<double>& preference : preferences) {
    if (!preference || !is_preference(*preference)) continue;
    shares.push_back(*preference - 1);
    rates.n_wins += *preference > 1.5 ? 1 : 0;
    rates.n_wins_base += *preference < 1.5 ? 1 : 0;
    rates.n_draws += *preference == 1.5 ? 1 : 0;
  }
  rates.n_total = static_cast<std::int64_t>(shares.size());
  if (shares.empty()) return rates;
  const PercentMean mean = percent_mean(shares);
  rates.win_rate = mean.mean;
  rates.standard_error = mean.standard_error;
  rates.discrete_win_rate =
      100 * (static_cast<double>(rates.n_wins) + static_cast<double>(rates.n_draws) / 2) /
      static_cast<double>(rates.n_total);
  return rates;
}

std::vector<double> win_rates_by_repeat(std::span<const std::vector<double>> repeats,
                                        std::span<const std::optional<double>> preferences) {
  std::size_t times = 0;
  for (const std::vector<double>& row : repeats) {
    if (row.empty()) continue;
    if (times != 0 && times != row.size()) return {};
    times = row.size();
  }
  if (times < 2) return {};
  std::vector<double> rates;
  for (std::size_t time = 0; time < times; ++time) {
    std::vector<std::optional<double>> once;
    for (std::size_t i = 0; i < repeats.size(); ++i)
      once.push_back(repeats[i].empty() ? preferences[i] : std::optional(repeats[i][time]));
    rates.push_back(win_rates(once).win_rate);
  }
  return rates;
}

stats::LogisticRows length_control_rows(std::span<const LengthRow> rows,
                                        std::span<const RegularizationRow> regularization,
                                        const LengthControlOptions& options) {
  stats::LogisticRows design;
  design.features = options.use_difficulty ? 3 : 2;
  const auto add = [&](double std_delta, double difficulty, bool model, double share,
                       double weight) {
    const std::array<double, 3> all = {std::tanh(std_delta), difficulty, model ? 1.0 : 0.0};
    const std::array<double, 2> minimal = {all[0], all[2]};
    options.use_difficulty ? design.add(all, share, weight) : design.add(minimal, share, weight);
  };
  for (const RegularizationRow& row : regularization) {
    if (!row.share) continue;
    add(row.std_delta_length, row.difficulty, row.not_gamed, *row.share,
        row.not_gamed ? 1 : options.regularization_weight);
  }
  std::vector<double> deltas;
  for (const LengthRow& row : rows) deltas.push_back(row.delta_length);
  const double sd = stats::sample_sd(deltas);
  for (const LengthRow& row : rows) {
    if (!row.share) continue;
    add(sd > 0 ? row.delta_length / sd : 0, row.difficulty, /*model=*/true, *row.share, 1);
  }
  return design;
}

std::optional<LengthControlFit> fit_length_control(
    std::span<const LengthRow> rows, std::span<const RegularizationRow> regularization,
    const LengthControlOptions& options) {
  const auto judged = std::count_if(rows.begin(), rows.end(),
                                    [](const LengthRow& row) { return row.share.has_value(); });
  if (judged < 2) return std::nullopt;
  const stats::LogisticRows design = length_control_rows(rows, regularization, options);
  LengthControlFit fit;
  if (options.c) {
    fit.c = *options.c;
  } else {
    fit.candidates = stats::log_spaced(-4, 4, 10);  // as upstream
    const int folds = std::min(options.folds, static_cast<int>(design.size()));
    const stats::ChosenC chosen =
        stats::choose_c(design, stats::equal_group_folds(design.size(), folds), fit.candidates);
    fit.c = chosen.c;
    fit.losses = chosen.losses;
  }
  const stats::L1LogisticFit found = stats::fit_l1_logistic(design, fit.c);
  fit.objective = found.objective;
  fit.converged = found.converged;
  fit.weights = {found.coefficients.front(), options.use_difficulty ? found.coefficients[1] : 0.0,
                 found.coefficients.back()};
  return fit;
}

std::vector<double> length_controlled_shares(const LengthControlWeights& a,
                                             const LengthControlWeights& b,
                                             std::span<const double> difficulties) {
  std::vector<double> shares;
  for (const double difficulty : difficulties) {
    shares.push_back(
        stats::sigmoid((a.model - b.model) + (a.difficulty - b.difficulty) * difficulty));
  }
  return shares;
}

}  // namespace tapir::evaluate
