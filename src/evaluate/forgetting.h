// What the rounds broke: the score matrix round x set, what it says of forgetting, and the gate
// that looks at it. Pure functions. After TRACE (Wang et al. 2023), whose tasks are learnt one
// after another: here every round trains on all of them, so a set's reference is its score before
// the rounds, S_0's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stats/intervals.h"

namespace tapir::evaluate {

// What a set is there for.
enum class SetKind {
  own,          // what the rounds teach: a family of the gym, a task of held-out rows
  part,         // rows of own sets cut another way: shown, but in no mean and not in the gate
  general,      // abilities that the rounds do not teach
  instruction,  // following instructions of other kinds
  safety,       // requests to be refused
};
std::string_view to_string(SetKind kind);

// One item of a set as one student answered it.
struct SetAnswer {
  std::string set;  // with the kind, names the set
  SetKind kind = SetKind::own;
  std::string item;      // unique within the set
  bool correct = false;  // right; refused; against a recorded answer: reached
  double score = 1;      // 1-10
};
using Sitting = std::vector<SetAnswer>;  // all that one student answered, in any order

struct ScoreCell {
  std::int64_t items = 0;
  double accuracy = 0;       // [0, 1]
  stats::Interval interval;  // of the accuracy, 95 %, Wilson's
  double score = 0;          // mean, 1-10
};

struct ScoreRow {
  std::string set;
  SetKind kind = SetKind::own;
  std::vector<std::optional<ScoreCell>> cells;  // [round], 0 = S_0; nothing: no item was answered
  // Of accuracies; nothing where the last round's (or S_0's) is not there.
  std::optional<double> best;  // over all rounds
  std::optional<double> last_minus_best;
  std::optional<double> last_minus_first;
};

struct ScoreMatrix {
  std::size_t rounds = 0;      // columns, S_0 counted
  std::vector<ScoreRow> rows;  // by kind, then by name
};

// One sitting per round, S_0's first. Error{bug}: an item of a set twice in one sitting.
ScoreMatrix score_matrix(std::span<const Sitting> by_round);

// Mean over sets of the accuracy after the last round minus S_0's, items paired.
struct Change {
  std::size_t sets = 0;
  double difference = 0;
  stats::Interval interval;  // 95 %, items resampled within sets
  double p = 1;              // sign-flip test
};

struct Overall {
  double accuracy = 0;       // mean over own sets
  stats::Interval interval;  // 95 %, items resampled within sets
};

struct Forgetting {
  ScoreMatrix matrix;
  std::vector<std::optional<Overall>> overall;  // [round]: TRACE's overall performance
  std::optional<Change> backward_transfer;      // of the own sets
  std::optional<double> mean_drop;              // mean over own sets of last_minus_best, <= 0
  std::optional<Change> general, instruction, safety;  // TRACE's deltas; nothing: no such set
};

// Draws from streams of the seed.
Forgetting forgetting(std::span<const Sitting> by_round, std::uint64_t seed);

// ---- the gate ----
struct GateOptions {
  double tolerance = 0.1;  // of accuracy
  bool fall_back = false;  // a round after one that tripped starts from the best student before it
};

struct GateRound {
  int round = 1;
  int from = 0;          // the round whose student it started from; 0 = S_0
  bool tripped = false;  // a set fell
  std::string words;     // which, by how much
};

struct GateWalk {
  std::vector<GateRound> rounds;  // 1, 2, ...
  int next_from = 0;              // whom the next round starts from; final when none comes
  int trips() const;
};

// A round trips when the accuracy of a set (not of a part) is more than `tolerance`, and more than
// two standard errors, below the best among the students that it descends from. Best student: the
// highest mean accuracy over own sets among those that did not trip, of equals the latest.
// REQUIRES: at least S_0's column.
GateWalk walk_gate(const ScoreMatrix& matrix, const GateOptions& options);

}  // namespace tapir::evaluate
