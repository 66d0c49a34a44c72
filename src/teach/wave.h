// The requests of one wave of expansion: which seed inspires which new instruction.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "teach/teach.h"

namespace tapir::teach {

// Hands out the seeds of one task: every seed once in a shuffled order, then every seed once in
// another one. A function of the seeds' ids, the random seed, the task and the round; the arm does
// not enter, so that arms that expand the same seeds send the same requests and pay for them once.
class SeedTurns {
 public:
  // seeds may be empty: then every turn starts from the task's description. They outlive this
  // object.
  SeedTurns(std::string task, const std::vector<Instruction>& seeds, int round, std::uint64_t seed);

  struct Turn {
    const Instruction* seed = nullptr;  // nullptr: from the description
    std::uint64_t use = 0;              // how often this seed had its turn before, in this round
  };
  Turn next();

 private:
  std::string task_;
  std::vector<const Instruction*> seeds_;  // ascending by id
  std::vector<const Instruction*> order_;  // of this pass
  int round_;
  std::uint64_t seed_;
  std::uint64_t taken_ = 0;
};

// One request: what it is about, and the new instruction that its reply will fill.
struct Draft {
  std::string task;
  std::string seed_prompt;         // empty: from the description
  std::string request;             // ExpandedRow::request
  std::int64_t sampling_seed = 0;  // [0, 2^31)
  Instruction instruction;         // id, parent_id, task, source and round; no messages yet
};

// How many requests of each task the next wave has: as many as rows are missing and attempts are
// left, at most wave_rows in all, handed out one by one over the tasks in turn so that a small wave
// serves all.
std::map<std::string, std::int64_t> wave_sizes(
    const std::map<std::string, std::int64_t>& missing,
    const std::map<std::string, std::int64_t>& attempts_left, std::int64_t wave_rows);

}  // namespace tapir::teach
