// What a judge's judgments say about the judge: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "difficulty/difficulty.h"
#include "stats/intervals.h"

namespace tapir::difficulty {

struct JudgeStatistics {
  // Replies of the judge, by the rung of the ladder that read them.
  std::int64_t replies = 0;
  std::int64_t strict = 0;        // in the form that was asked for
  std::int64_t tolerant = 0;      // in another dress
  std::int64_t unreadable = 0;    // asked again
  std::int64_t out_of_range = 0;  // asked again
  std::int64_t asked_again = 0;   // of `replies`: answers to a complaint
  std::int64_t refused = 0;       // requests that the endpoint will not answer; no replies
  double parse_rate() const;      // of replies; 1 of nothing

  // Scores of the readings that count (the first readable attempt of a pair in an order).
  std::map<double, std::int64_t> teacher_scores;
  std::map<double, std::int64_t> student_scores;
  std::int64_t readings = 0;  // of a pair in an order
  std::int64_t ties = 0;      // of them: equal scores

  // Pairs that were read in both orders.
  std::int64_t both_orders = 0;
  std::int64_t same_winner = 0;         // the same answer is better in both, or neither in both
  std::int64_t first_wins = 0;          // the answer shown first is better, whichever that is
  std::int64_t second_wins = 0;         // the answer shown second is
  std::int64_t decisions_flip = 0;      // hard in one order only
  double position_bias = 0;             // mean advantage in points of being shown first
  double position_consistency() const;  // same_winner of both_orders; 1 of nothing
};
JudgeStatistics judge_statistics(std::span<const Judgment> judgments, const Threshold& threshold);

// A judge that cannot be told from one that does not judge: always the same score, always equal
// scores, always the answer that is shown first, mostly unreadable. Each in a sentence with its
// figures; nothing while there is too little to say so.
std::vector<std::string> judge_warnings(const JudgeStatistics& statistics);

// Two judges about the same rows: who is hard.
struct Agreement {
  std::int64_t rows = 0;  // judged by both
  std::int64_t both = 0;  // hard by both
  std::int64_t judge_only = 0;
  std::int64_t auditor_only = 0;
  std::int64_t neither = 0;
  stats::Interval interval{0, 1};  // of the share of equal decisions: Wilson, 95 %
  double mean_gap_difference = 0;  // judge - auditor
  double share() const;            // of equal decisions; 0 of nothing
  double kappa() const;            // Cohen's; 0 where chance alone explains everything
};
Agreement agreement_of(std::span<const Fit> judge, std::span<const Fit> auditor,
                       const SelectOptions& options);

}  // namespace tapir::difficulty
