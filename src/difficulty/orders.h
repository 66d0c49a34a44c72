// Which pairs are judged in which order: pure functions of ids, options and gaps.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "difficulty/difficulty.h"

namespace tapir::difficulty {

// The order in which a pair is judged first, drawn by its id.
Order drawn_order(const std::string& instruction_id, std::uint64_t seed);

// The pairs of the pilot: those with the smallest draws. Places in `pairs`, ascending.
std::vector<std::size_t> pilot_of(std::span<const Pair> pairs, const JudgeOptions& options);

// Gaps of one pair in the two orders.
struct TwoGaps {
  double teacher_first = 0;
  double student_first = 0;
  double mean() const { return (teacher_first + student_first) / 2; }
};

// The smallest half-width around the threshold such that, asking a second order inside it only,
// under max_flip_rate of the decisions would differ from judging in both. Each pilot pair stands
// for two, one for either order to be drawn. Without any pair: everything lies inside.
double band_of(std::span<const TwoGaps> pilot, const Threshold& threshold, double max_flip_rate);

inline bool inside_band(double gap, double threshold, double band) {
  return (gap > threshold ? gap - threshold : threshold - gap) <= band;
}

// A pair that was judged in both orders, to see what adaptive orders would have made of it.
struct RecordedPair {
  std::string id;
  TwoGaps gaps;
};

// Adaptive orders replayed on recorded pairs, against judging all of them in both.
struct OrdersReplay {
  std::int64_t pairs = 0;
  std::int64_t pilot = 0;         // judged in both orders to set the band
  double band = 0;                // half-width around the threshold
  std::int64_t second_calls = 0;  // outside the pilot
  std::int64_t saved_calls = 0;   // second calls that judging in both would have made besides
  std::int64_t hard = 0;          // by both orders
  std::int64_t flips = 0;         // decisions that differ from judging in both
  std::int64_t single_flips = 0;  // the same, had every pair been judged in its drawn order only
};
// hindsight: no pilot is paid for; the band is the one that all pairs together would set.
OrdersReplay replay_adaptive(std::span<const RecordedPair> pairs, const JudgeOptions& options,
                             bool hindsight = false);

}  // namespace tapir::difficulty
