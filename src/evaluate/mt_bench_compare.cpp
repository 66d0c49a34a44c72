#include <set>
#include <tuple>

#include "base/error.h"
#include "evaluate/mt_bench.h"
#include "stats/estimates.h"
#include "stats/hypotheses.h"
#include "stats/resampling.h"

namespace tapir::evaluate {
namespace {

using Turn = std::pair<std::int64_t, int>;             // question, turn
using Means = std::map<Turn, double>;                  // of the judgments that count
using JudgeKey = std::pair<std::string, std::string>;  // judge, reference set
using ByModel = std::map<std::string, Means>;          // of one judge

std::map<JudgeKey, ByModel> means_of(std::span<const MtJudgment> judgments) {
  std::map<JudgeKey, std::map<std::string, std::map<Turn, std::vector<double>>>> values;
  for (const MtJudgment& j : judgments) {
    if (!j.score) continue;
    values[{j.judge, j.reference_set}][j.model][{j.question, j.turn}].push_back(*j.score);
  }
  std::map<JudgeKey, ByModel> means;
  for (const auto& [judge, models] : values) {
    for (const auto& [model, turns] : models) {
      for (const auto& [turn, scores] : turns) means[judge][model][turn] = stats::mean(scores);
    }
  }
  return means;
}

// Turns that both have.
struct Paired {
  std::vector<double> differences;
  std::vector<std::int64_t> questions;
  std::int64_t unpaired = 0;
};

Paired paired(const Means& model, const Means& baseline) {
  Paired out;
  for (const auto& [turn, score] : model) {
    const auto found = baseline.find(turn);
    if (found == baseline.end()) continue;
    out.differences.push_back(score - found->second);
    out.questions.push_back(turn.first);
  }
  const std::size_t both = out.differences.size();
  out.unpaired = static_cast<std::int64_t>(model.size() + baseline.size() - 2 * both);
  return out;
}

std::vector<double> sums_by_question(const Paired& pairs) {
  std::map<std::int64_t, double> sums;
  for (std::size_t i = 0; i < pairs.questions.size(); ++i)
    sums[pairs.questions[i]] += pairs.differences[i];
  std::vector<double> out;
  for (const auto& [question, sum] : sums) out.push_back(sum);
  return out;
}

MtComparison compared(const Paired& pairs, const MtComparisonOptions& options,
                      const std::string& name) {
  MtComparison result;
  result.unpaired = pairs.unpaired;
  if (pairs.differences.empty()) return result;
  RandomStream resample(options.seed, "mt_bench/bootstrap", name);
  RandomStream flips(options.seed, "mt_bench/sign_flip", name);
  const std::vector<double> sums = sums_by_question(pairs);
  const stats::Estimate estimate =
      stats::estimate_clustered_mean(pairs.differences, pairs.questions);
  result.questions = static_cast<std::int64_t>(sums.size());
  result.difference = estimate.mean;
  result.interval = stats::bootstrap_clustered_mean(pairs.differences, pairs.questions, resample);
  result.p = stats::sign_flip_p(sums, flips);
  result.shown = stats::smallest_difference(estimate.standard_error);
  if (options.margin > 0)
    result.p_equivalent = stats::equivalence(estimate, -options.margin, options.margin).p();
  return result;
}

// Holm's among those of one judge, which stand from `first` on.
void adjust(std::vector<MtComparison>& comparisons, std::size_t first) {
  std::vector<double> p;
  for (std::size_t i = first; i < comparisons.size(); ++i) p.push_back(comparisons[i].p);
  const std::vector<double> adjusted = stats::holm(p);
  for (std::size_t i = 0; i < adjusted.size(); ++i) comparisons[first + i].p_holm = adjusted[i];
}

// Of the model in the pair: 1 won, 0 lost, 0.5 tie; nothing: not to be read.
std::optional<double> result_of(const MtPair& pair, bool is_first) {
  if (pair.game_1 == MtWinner::error || pair.game_2 == MtWinner::error) return std::nullopt;
  if (pair.game_1 == MtWinner::tie || pair.game_1 != pair.game_2) return 0.5;
  return (pair.game_1 == MtWinner::model_1) == is_first ? 1.0 : 0.0;
}

struct Games {
  MtWinRate rate;
  std::vector<double> results;
  std::vector<std::int64_t> questions;
};

void count(Games& games, const MtPair& pair, bool is_first) {
  const std::optional<double> result = result_of(pair, is_first);
  if (!result) {
    ++games.rate.failed;
    return;
  }
  games.results.push_back(*result);
  games.questions.push_back(pair.question);
  games.rate.win += *result == 1 ? 1 : 0;
  games.rate.loss += *result == 0 ? 1 : 0;
  games.rate.tie += *result == 0.5 ? 1 : 0;
  games.rate.disagree += pair.game_1 != pair.game_2 ? 1 : 0;
}

}  // namespace

std::vector<MtComparison> compare_mt_bench(std::span<const MtJudgment> judgments,
                                           const MtComparisonOptions& options) {
  std::vector<MtComparison> comparisons;
  bool known = false;
  for (const auto& [judge, models] : means_of(judgments)) {
    const auto baseline = models.find(options.baseline);
    if (baseline == models.end()) continue;
    known = true;
    const std::size_t first = comparisons.size();
    for (const auto& [model, means] : models) {
      if (model == options.baseline) continue;
      MtComparison comparison =
          compared(paired(means, baseline->second), options, judge.first + "/" + model);
      comparison.model = model;
      comparison.baseline = options.baseline;
      comparison.judge = judge.first;
      comparison.reference_set = judge.second;
      comparisons.push_back(std::move(comparison));
    }
    adjust(comparisons, first);
  }
  if (!known) {
    throw Error(ErrorKind::data,
                "the baseline " + options.baseline + " has no judgment that counts",
                "name a model of the files with --baseline");
  }
  return comparisons;
}

std::vector<MtWinRate> mt_win_rates(std::span<const MtPair> pairs, const std::string& baseline) {
  std::map<std::pair<std::string, std::string>, Games> by_model;
  for (const MtPair& pair : pairs) {
    if (!baseline.empty() && pair.model_1 != baseline && pair.model_2 != baseline) continue;
    count(by_model[{pair.model_1, pair.judge}], pair, /*is_first=*/true);
    count(by_model[{pair.model_2, pair.judge}], pair, /*is_first=*/false);
  }
  std::vector<MtWinRate> rates;
  for (auto& [key, games] : by_model) {
    MtWinRate& rate = games.rate;
    rate.model = key.first;
    rate.judge = key.second;
    if (!games.results.empty()) {
      const auto estimate = stats::estimate_clustered_mean(games.results, games.questions);
      rate.adjusted = estimate.mean;
      rate.interval = interval_of(estimate);
    }
    rates.push_back(std::move(rate));
  }
  return rates;
}

}  // namespace tapir::evaluate
