// How the processes of a training find one another, by torch's own rules: the variables that
// torchrun sets, and c10d's TCPStore at MASTER_ADDR:MASTER_PORT. No torch in this header.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "student/collective.h"

namespace tapir::student {

struct RankPlace {
  int rank = 0;
  int size = 1;
  std::string master_addr = "127.0.0.1";
  int master_port = 0;
  bool store_is_up = false;  // torchrun's agent holds the store; else rank 0 does
  std::string group;  // of this start: a torchrun that starts its ranks again keeps the store
};

// value: of a variable of the environment, or null. Nothing without RANK and WORLD_SIZE, or for one
// process. Error{usage} naming a variable that is missing or impossible, or for ranks on several
// machines.
std::optional<RankPlace> place_of_environment(const std::function<const char*(const char*)>& value);

// Waits until all ranks are there. waiting: called meanwhile; what it throws ends the wait.
// Error{data} naming the ranks that have not come within the time, or the store's address when it
// does not answer.
std::shared_ptr<Collective> join_ranks(const RankPlace& place,
                                       const std::function<void()>& waiting = {},
                                       std::chrono::seconds time = std::chrono::seconds(60));

}  // namespace tapir::student
