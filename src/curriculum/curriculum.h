// Schedule, quotas and mixture of the rounds (paper, algorithm 1, lines 4-7). Pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "records/instruction.h"

namespace tapir::curriculum {

struct ScheduleOptions {
  int rounds = 3;           // N
  double alpha = 0.3;       // α_1, share of hard rows in round 1
  double alpha_step = 0.2;  // Δα
  std::int64_t rows = 0;    // of all rounds
};
struct RoundPlan {
  int round = 1;          // 1..N
  double alpha = 0;       // min(1, alpha + (round - 1) alpha_step)
  std::int64_t rows = 0;  // M; the sum over rounds is ScheduleOptions::rows
};
// Error{usage} for rounds < 1, alpha outside [0, 1], alpha_step < 0, rows < rounds.
std::vector<RoundPlan> schedule(const ScheduleOptions& options);

// α_r after `times` rounds that forgot: each takes `step` from the share of hard rows, so that so
// much more is replayed of the easy ones. Not below 0. REQUIRES: times >= 0, step >= 0.
double with_more_replay(double alpha, int times, double step);

// Whole numbers with the given sum, as near to weights as possible (largest remainder; ties by
// key).
std::map<std::string, std::int64_t> apportion(std::int64_t sum,
                                              const std::map<std::string, double>& weights);

struct QuotaInput {
  std::int64_t rows = 0;                 // M
  double alpha = 0;                      // α_r
  std::map<std::string, double> shares;  // Pr(task), sums to 1
  std::map<std::string, std::int64_t>
      easy_available;  // distinct rows of D \ D_S not used so far, by task
};
struct TaskQuota {
  std::int64_t easy = 0;
  std::int64_t hard = 0;
};
struct Quotas {
  std::map<std::string, TaskQuota> by_task;
  std::int64_t easy_short = 0;  // rows that the easy stratum lacked: hard rows stand in for them
  std::vector<std::string>
      relaxed;  // one sentence for every share that could not hold, with by how much
};
// Easy e_t with sum (1 - α) M and e_t <= min(M Pr(t), easy available of t), spread in proportion to
// Pr(t); hard: the rest of M Pr(t). Both shares then hold.
Quotas quotas(const QuotaInput& input);

// A row that may enter a mixture.
struct Candidate {
  std::string instruction_id;
  std::string task;
  int uses = 0;  // in the rounds before
};
struct MixtureResult {
  std::vector<MixtureRow> rows;  // in training order (shuffled)
  std::map<std::string, std::int64_t>
      repeated;                      // rows used again, by task: the counted last resort
  std::vector<std::string> relaxed;  // what mix() itself gave up; Quotas::relaxed stands beside it
};
// Draws without replacement, rows not used so far first, in an order drawn from the stream; a task
// that lacks rows takes from the other stratum, then repeats. `author` of the rows is left to the
// caller. Inputs in any order: sorted by id first.
MixtureResult mix(const Quotas& quotas, std::vector<Candidate> hard, std::vector<Candidate> easy,
                  RandomStream& stream);

// Rows by task that P_r still needs so that quotas can be met without repetition: hard quota minus
// unused hard rows.
std::map<std::string, std::int64_t> needed(const Quotas& quotas,
                                           const std::vector<Candidate>& hard);

}  // namespace tapir::curriculum
