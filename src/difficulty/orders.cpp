#include "difficulty/orders.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"

namespace tapir::difficulty {

namespace {
constexpr double kLargestGap = 9;  // scores are 1-10
}

Orders parse_orders(std::string_view name, std::string_view where) {
  if (name == "adaptive") return Orders::adaptive;
  if (name == "both") return Orders::both;
  if (name == "single") return Orders::single;
  throw Error(ErrorKind::usage,
              std::string(where) + ": unknown orders \"" + std::string(name) + "\"",
              "known: adaptive, both, single");
}

Order drawn_order(const std::string& instruction_id, std::uint64_t seed) {
  return RandomStream(seed, "order", instruction_id).below(2) == 0 ? Order::teacher_first
                                                                   : Order::student_first;
}

std::vector<std::size_t> pilot_of(std::span<const Pair> pairs, const JudgeOptions& options) {
  std::vector<std::string> ids;
  ids.reserve(pairs.size());
  for (const Pair& pair : pairs) ids.push_back(pair.instruction.id);
  const auto rows = static_cast<std::size_t>(std::max(0, options.pilot_rows));
  return sample_places(ids, rows, options.seed, "pilot");
}

double band_of(std::span<const TwoGaps> pilot, const Threshold& threshold, double max_flip_rate) {
  if (pilot.empty()) return kLargestGap + std::abs(threshold.value);
  std::vector<double>
      flips;  // distance from the threshold of single readings that decide otherwise than both
  for (const TwoGaps& gaps : pilot) {
    const bool hard = threshold.passed_by(gaps.mean());
    for (const double single : {gaps.teacher_first, gaps.student_first}) {
      if (threshold.passed_by(single) != hard) flips.push_back(std::abs(single - threshold.value));
    }
  }
  std::sort(flips.begin(), flips.end());
  const double allowed = max_flip_rate * 2 * static_cast<double>(pilot.size());
  // With the band at flips[i - 1], the flips behind it remain.
  double band = 0;
  for (std::size_t i = 0;; ++i) {
    if (i > 0) band = flips[i - 1];
    const auto outside =
        static_cast<double>(flips.end() - std::upper_bound(flips.begin(), flips.end(), band));
    if (outside == 0 || outside < allowed) return band;
  }
}

OrdersReplay replay_adaptive(std::span<const RecordedPair> pairs, const JudgeOptions& options,
                             bool hindsight) {
  const Threshold threshold{options.threshold, options.strict};
  std::vector<Pair> rows(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) rows[i].instruction.id = pairs[i].id;
  const std::vector<std::size_t> pilot =
      hindsight ? std::vector<std::size_t>{} : pilot_of(rows, options);
  std::vector<TwoGaps> known;
  for (const std::size_t pair : pilot) known.push_back(pairs[pair].gaps);
  if (hindsight) {
    for (const RecordedPair& pair : pairs) known.push_back(pair.gaps);
  }

  OrdersReplay replay;
  replay.pairs = static_cast<std::int64_t>(pairs.size());
  replay.pilot = static_cast<std::int64_t>(pilot.size());
  replay.band = band_of(known, threshold, options.max_flip_rate);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const TwoGaps& gaps = pairs[i].gaps;
    const bool hard = threshold.passed_by(gaps.mean());
    const Order drawn = drawn_order(pairs[i].id, options.seed);
    const double first = drawn == Order::teacher_first ? gaps.teacher_first : gaps.student_first;
    const bool flips = threshold.passed_by(first) != hard;
    replay.hard += hard ? 1 : 0;
    replay.single_flips += flips ? 1 : 0;
    if (std::binary_search(pilot.begin(), pilot.end(), i)) continue;
    if (inside_band(first, options.threshold, replay.band)) {
      ++replay.second_calls;
    } else {
      ++replay.saved_calls;
      replay.flips += flips ? 1 : 0;
    }
  }
  return replay;
}

}  // namespace tapir::difficulty
