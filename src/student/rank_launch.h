// The processes of a training on one machine: taken as torchrun started them, or started here. No
// torch here.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/process.h"
#include "student/collective.h"

namespace tapir::student {

// The group that this process was started into, by torchrun or by start_ranks(); null when it was
// started alone. ranks: how many the user wants, 0: not said; Error{usage} when they are others.
// Waits for the others as join_ranks() does.
std::shared_ptr<Collective> ranks_of_environment(int ranks);

struct RankLaunch {
  int ranks = 2;
  std::vector<std::string> arguments;  // of this program, without its name: every rank's
  std::filesystem::path logs;          // folder: what rank 1 says stands in rank-1.log
};

// Rank 0 is this process. The destructor ends the others; when this process is killed they end too
// (base/process.h).
struct StartedRanks {
  std::vector<std::unique_ptr<ChildProcess>> children;  // rank 1 first
  std::shared_ptr<Collective> ranks;
};

// Starts this program once more for every other rank, with torchrun's variables in its environment,
// and waits for them. Error{data} with a rank's last words when it ends before it has come.
StartedRanks start_ranks(const RankLaunch& launch);

}  // namespace tapir::student
