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
};

// The smallest half-width around the threshold such that, asking a second order inside it only,
// under max_flip_rate of the decisions would differ from judging in both. Each pilot pair stands
// for two, one for either order to be drawn. Without any pair: everything lies inside.
double band_of(std::span<const TwoGaps> pilot, double threshold, double max_flip_rate);

inline bool inside_band(double gap, double threshold, double band) {
  return (gap > threshold ? gap - threshold : threshold - gap) <= band;
}

}  // namespace tapir::difficulty
