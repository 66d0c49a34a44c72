// Model Fitting Difficulty (paper, section 3.2): how the student's answer compares with the
// teacher's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "llm/chat_model.h"
#include "prompting/prompts.h"
#include "records/instruction.h"
#include "records/ledger.h"

namespace tapir::difficulty {

enum class Orders { adaptive, both, single };
Orders parse_orders(std::string_view name, std::string_view where);

// δ, and whether a gap exactly on it passes.
struct Threshold {
  double value = 2.0;
  bool strict = true;  // gap > δ; false: >=
  bool passed_by(double gap) const { return strict ? gap > value : gap >= value; }
};

struct JudgeOptions {
  Orders orders = Orders::adaptive;
  double threshold = 2.0;       // δ: where a second order can change a decision
  bool strict = true;           // as in SelectOptions
  int pilot_rows = 1000;        // adaptive: judged in both orders first, to set the band
  double max_flip_rate = 0.01;  // adaptive: share of decisions that may flip
  int max_attempts = 3;         // per order: an unreadable reply is asked again with the complaint
  llm::Sampling sampling;       // of the judge
  std::uint64_t seed = 42;
  // Speed only.
  std::size_t max_in_flight = 256;
};

// One instruction with the two answers to compare.
struct Pair {
  Instruction instruction;
  std::string teacher_answer;
  std::string student_answer;
  std::string author;      // of the student's answer
  bool truncated = false;  // the student's answer was cut: judged and flagged, never dropped
};

struct JudgeSummary {
  Ledger ledger;    // over pairs; failed reasons: "unreadable", "out_of_range", a llm::Failure name
  double band = 0;  // half-width around δ in which the second order is asked for
  std::int64_t one_order = 0, two_orders = 0;  // pairs
  std::int64_t flips = 0;  // pairs judged in both orders whose decision differs between the orders
  std::int64_t unread_replies = 0;
  bool complete = true;  // false: stopped, or transient failures left
};

// Judges the pairs in the orders asked for. `already` holds judgments of earlier sittings and is
// built on. Each new judgment (failed ones too) goes to `keep` on the caller's thread before it
// counts. What is judged in which order is a function of pairs, options and judgments, not of the
// order of arrival.
JudgeSummary judge_pairs(llm::ChatModel& judge, const prompting::PromptSet& prompts,
                         std::span<const Pair> pairs, const std::vector<Judgment>& already,
                         const JudgeOptions& options,
                         const std::function<void(const Judgment&)>& keep, ProgressSink& progress,
                         std::stop_token stop);

// Mean over the readable orders of one pair; nothing when none was read.
std::optional<Fit> fit_of(const std::vector<Judgment>& judgments_of_pair, bool truncated);

// ---- selection: pure ----
struct SelectOptions {
  double threshold = 2.0;         // δ
  bool strict = true;             // gap > δ; false: >=
  std::optional<double> max_gap;  // ceiling: rows no student can reach
  double ifd_share = 0.1;         // of fits that were measured by IFD
};
// Of a judged fit.
bool is_hard(const Fit& fit, const SelectOptions& options);

// Ids of the hard instructions among the fits. Judged ones: is_hard(). Measured by IFD: the share
// of all with the highest ratios below 1, the greater id first where two are equal; at 1 and above
// the instruction is no help to the answer, and the row is set aside (as the method's authors do).
std::set<std::string> hard_of(std::span<const Fit> fits, const SelectOptions& options);

struct ThresholdRow {
  double threshold = 0;
  std::int64_t kept_above = 0;     // gap > threshold
  std::int64_t kept_at_least = 0;  // gap >= threshold
};
// What every other threshold (-9..9 in steps of 0.5) would keep.
std::vector<ThresholdRow> threshold_table(std::span<const Fit> fits);

struct HistogramBin {
  double low = 0;  // [low, low + width)
  std::int64_t count = 0;
};
std::vector<HistogramBin> gap_histogram(std::span<const Fit> fits, double width = 0.5);

}  // namespace tapir::difficulty
