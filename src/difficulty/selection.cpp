// Fit, selection, and what is shown before training starts: pure.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "difficulty/difficulty.h"
#include "difficulty/judgment_table.h"

namespace tapir::difficulty {

std::optional<Fit> fit_of(const std::vector<Judgment>& judgments_of_pair, bool truncated) {
  // The earliest readable attempt of each order counts.
  std::array<const Judgment*, 2> chosen = {nullptr, nullptr};
  for (const Judgment& judgment : judgments_of_pair) {
    if (!judgment.failure.empty() || !judgment.teacher_score || !judgment.student_score) continue;
    const Judgment*& slot = chosen[index_of(judgment.order)];
    if (slot == nullptr || judgment.attempt < slot->attempt) slot = &judgment;
  }
  Fit fit;
  fit.truncated = truncated;
  for (const Judgment* judgment : chosen) {
    if (judgment == nullptr) continue;
    fit.instruction_id = judgment->instruction_id;
    fit.author = judgment->author;
    fit.teacher_score += *judgment->teacher_score;
    fit.student_score += *judgment->student_score;
    ++fit.orders;
  }
  if (fit.orders == 0) return std::nullopt;
  fit.teacher_score /= fit.orders;
  fit.student_score /= fit.orders;
  return fit;
}

bool is_hard(const Fit& fit, const SelectOptions& options) {
  const double gap = fit.gap();
  if (options.max_gap && gap > *options.max_gap) return false;
  return options.strict ? gap > options.threshold : gap >= options.threshold;
}

std::set<std::string> hard_of(std::span<const Fit> fits, const SelectOptions& options) {
  std::set<std::string> hard;
  std::vector<std::pair<double, std::string>> measured;  // below 1
  std::size_t all_measured = 0;
  for (const Fit& fit : fits) {
    if (!fit.ifd) {
      if (is_hard(fit, options)) hard.insert(fit.instruction_id);
      continue;
    }
    ++all_measured;
    if (*fit.ifd < 1) measured.emplace_back(*fit.ifd, fit.instruction_id);
  }
  std::sort(measured.rbegin(), measured.rend());
  const auto wanted =
      static_cast<std::size_t>(std::llround(options.ifd_share * static_cast<double>(all_measured)));
  measured.resize(std::min(measured.size(), wanted));
  for (auto& [ratio, id] : measured) hard.insert(std::move(id));
  return hard;
}

std::vector<ThresholdRow> threshold_table(std::span<const Fit> fits) {
  std::vector<double> gaps;
  for (const Fit& fit : fits) gaps.push_back(fit.gap());
  std::sort(gaps.begin(), gaps.end());
  std::vector<ThresholdRow> table;
  for (int halves = -18; halves <= 18; ++halves) {
    const double threshold = halves * 0.5;
    const auto above = gaps.end() - std::upper_bound(gaps.begin(), gaps.end(), threshold);
    const auto at_least = gaps.end() - std::lower_bound(gaps.begin(), gaps.end(), threshold);
    table.push_back({threshold, above, at_least});
  }
  return table;
}

std::vector<HistogramBin> gap_histogram(std::span<const Fit> fits, double width) {
  check(width > 0, "gap_histogram: width is positive");
  // Gaps are sums of scores over one or two orders, so that they fall on the bins' edges exactly.
  const auto bin_of = [&](double gap) {
    return static_cast<std::int64_t>(std::floor(gap / width));
  };
  std::map<std::int64_t, std::int64_t> counts;
  for (const Fit& fit : fits) ++counts[bin_of(fit.gap())];
  std::vector<HistogramBin> bins;
  if (counts.empty()) return bins;
  // Empty bins between are there too: a histogram is drawn from neighbours.
  for (std::int64_t bin = counts.begin()->first; bin <= counts.rbegin()->first; ++bin) {
    const auto found = counts.find(bin);
    bins.push_back({static_cast<double>(bin) * width, found == counts.end() ? 0 : found->second});
  }
  return bins;
}

}  // namespace tapir::difficulty
