#include <cmath>
#include <tuple>

#include "evaluate/mt_bench.h"
#include "stats/estimates.h"

namespace tapir::evaluate {
namespace {

using Cell = std::tuple<std::string, std::int64_t, int>;  // model, question, turn
using Means = std::map<Cell, double>;

std::map<std::string, Means> means_by_judge(std::span<const MtJudgment> judgments) {
  std::map<std::string, std::map<Cell, std::vector<double>>> values;
  for (const MtJudgment& j : judgments) {
    if (j.score) values[j.judge][{j.model, j.question, j.turn}].push_back(*j.score);
  }
  std::map<std::string, Means> means;
  for (const auto& [judge, cells] : values) {
    for (const auto& [cell, scores] : cells) means[judge][cell] = stats::mean(scores);
  }
  return means;
}

std::optional<double> correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double mean_a = stats::mean(a);
  const double mean_b = stats::mean(b);
  double product = 0, square_a = 0, square_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    product += (a[i] - mean_a) * (b[i] - mean_b);
    square_a += (a[i] - mean_a) * (a[i] - mean_a);
    square_b += (b[i] - mean_b) * (b[i] - mean_b);
  }
  if (square_a == 0 || square_b == 0) return std::nullopt;
  return product / std::sqrt(square_a * square_b);
}

MtAgreement agreement(const Means& a, const Means& b) {
  std::vector<double> scores_a, scores_b, differences;
  std::vector<std::int64_t> questions;
  MtAgreement result;
  std::int64_t near = 0;
  for (const auto& [cell, score] : a) {
    const auto found = b.find(cell);
    if (found == b.end()) continue;
    scores_a.push_back(score);
    scores_b.push_back(found->second);
    differences.push_back(score - found->second);
    questions.push_back(std::get<1>(cell));
    near += std::fabs(differences.back()) <= 1 ? 1 : 0;
  }
  result.both = static_cast<std::int64_t>(differences.size());
  if (result.both == 0) return result;
  const stats::Estimate estimate = stats::estimate_clustered_mean(differences, questions);
  result.difference = estimate.mean;
  result.interval = interval_of(estimate);
  result.within_one = static_cast<double>(near) / static_cast<double>(result.both);
  result.correlation = correlation(scores_a, scores_b);
  return result;
}

}  // namespace

std::vector<MtAgreement> mt_agreement(std::span<const MtJudgment> judgments) {
  const std::map<std::string, Means> judges = means_by_judge(judgments);
  std::vector<MtAgreement> all;
  for (auto a = judges.begin(); a != judges.end(); ++a) {
    for (auto b = std::next(a); b != judges.end(); ++b) {
      MtAgreement one = agreement(a->second, b->second);
      if (one.both == 0) continue;
      one.judge_a = a->first;
      one.judge_b = b->first;
      all.push_back(std::move(one));
    }
  }
  return all;
}

}  // namespace tapir::evaluate
