// Expansion and refinement by the teacher (paper, section 3.3).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "llm/chat_model.h"
#include "prompting/prompts.h"
#include "records/instruction.h"
#include "records/ledger.h"
#include "tasks/taxonomy.h"

namespace tapir::teach {

// Decides whether a new instruction is new. Not thread-safe.
class Novelty {
 public:
  virtual ~Novelty() = default;
  virtual void add(const Instruction& instruction) = 0;  // known from now on
  // "" when new, else the reason of rejection ("duplicate", "near_duplicate", "held_out",
  // "contaminated", ...).
  virtual std::string reject(const Instruction& candidate) const = 0;
};

struct ExpandOptions {
  std::string arm;  // enters ids; arms that expand the same seeds send the same requests
  int round = 1;
  int max_attempts_per_row = 3;  // requests per needed row, over all waves
  int wave_rows = 2048;          // requests of one wave at the most
  llm::Sampling sampling;
  std::uint64_t seed = 42;
  // What the new instruction of a request has to ask for besides, a sentence a line: a pure
  // function of the request's name (ExpandedRow::request), which is the same for all arms. Unset:
  // nothing.
  std::function<std::string(const std::string& request)> requirements;
  std::size_t max_in_flight = 256;  // speed only
};

// One request of the teacher for a new instruction, and what came of it.
struct ExpandedRow {
  Instruction
      instruction;      // id, parent_id, task, round are set; messages empty when the reply failed
  std::string outcome;  // "kept" or the reason
  std::string request;  // its name: "round-1/0/<parent>"
};

struct ExpandSummary {
  std::map<std::string, std::int64_t> kept;  // by task
  std::map<std::string, std::int64_t>
      missing;    // needed but not reached within the attempts, by task
  Ledger ledger;  // over requests: done = kept, filtered by reason, failed
  int waves = 0;
  bool complete =
      true;  // false: stopped or transient failures left: rows were not decided, run again
};

// Asks the teacher for needed[task] new instructions of each task, inspired by seeds of that task
// (a task without seeds starts from the examples of the taxonomy, or its description), in numbered
// waves: a wave's requests are a function of the waves before; acceptance is decided at a wave's
// end in the order of requests. Given the same replies the result is the same: a resume replays
// durable replies. `keep` gets the rows of a wave in order, once the wave is decided.
ExpandSummary expand(llm::ChatModel& teacher, const prompting::PromptSet& prompts,
                     const tasks::Taxonomy& taxonomy,
                     const std::map<std::string, std::vector<Instruction>>& seeds_by_task,
                     const std::map<std::string, std::int64_t>& needed, Novelty& novelty,
                     const ExpandOptions& options,
                     const std::function<void(const ExpandedRow&)>& keep, ProgressSink& progress,
                     std::stop_token stop);

struct RefineRow {
  Instruction instruction;
  std::string current_answer;  // empty: answered directly in the style
};
struct RefineOptions {
  llm::Sampling sampling;
  int max_attempts = 3;
  std::size_t max_in_flight = 256;  // speed only
};
struct RefineSummary {
  Ledger ledger;
  bool complete = true;
};
// Author of the responses: "teacher/<style>". Each goes to `keep` on the caller's thread. `failed`
// gets, at the end and in the order of rows, those that will not be answered; rows that stay open
// (transient failures, stop) are in the ledger only. Error{data} before anything is asked when a
// row's task is not in the taxonomy.
RefineSummary refine(
    llm::ChatModel& teacher, const prompting::PromptSet& prompts, const tasks::Taxonomy& taxonomy,
    std::span<const RefineRow> rows, const RefineOptions& options,
    const std::function<void(const Response&)>& keep,
    const std::function<void(const std::string& id, const std::string& reason)>& failed,
    ProgressSink& progress, std::stop_token stop);

}  // namespace tapir::teach
