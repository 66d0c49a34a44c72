#include "student/memory_plan.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

#include "student/gradients.h"
#include "student/metrics.h"

namespace tapir::student {
namespace {

using Path = std::filesystem::path;

constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
// Steps looked at for the largest pass; later ones are drawn from the same rows.
constexpr std::int64_t kStepsSeen = 1000;

// The number in a file; kNone when there is none ("max").
std::int64_t number_in(const Path& file) {
  std::ifstream in(file);
  std::int64_t number = 0;
  return in >> number && number > 0 ? number : kNone;
}

// The caps of a control group and of all above it.
std::int64_t cap_of_group(const Path& root, const std::string& group, const char* file) {
  std::int64_t cap = number_in(root / file);
  for (Path path = Path(group).relative_path(); !path.empty(); path = path.parent_path()) {
    cap = std::min(cap, number_in(root / path / file));
  }
  return cap;
}

// /proc/self/cgroup: "<number>:<controllers>:<path>"; version 2 has no controllers.
std::int64_t cgroup_cap() {
  std::int64_t cap = kNone;
  std::ifstream in("/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      cap = std::min(cap, cap_of_group("/sys/fs/cgroup", group, "memory.max"));
    } else if (controllers == "memory") {
      cap = std::min(cap, cap_of_group("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
    }
  }
  return cap;
}

std::int64_t address_space_cap() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kNone;
  std::ifstream in("/proc/self/statm");
  std::int64_t mapped = 0;
  std::int64_t resident = 0;
  in >> mapped >> resident;
  const std::int64_t unused = (mapped - resident) * ::sysconf(_SC_PAGESIZE);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(limit.rlim_cur) - unused);
}

std::int64_t machine_memory() {
  const std::int64_t pages = ::sysconf(_SC_PHYS_PAGES);
  return pages > 0 ? pages * ::sysconf(_SC_PAGESIZE) : kNone;
}

void widen(PassSize& largest, const PassSize& pass) {
  largest.tokens = std::max(largest.tokens, pass.tokens);
  largest.targets = std::max(largest.targets, pass.targets);
  largest.longest = std::max(largest.longest, pass.longest);
}

// Of one step.
void widen_by_step(const std::vector<PassSize>& rows, const TrainOptions& options,
                   std::int64_t micro_batch_tokens, std::vector<PassSize>& largest) {
  std::vector<std::int64_t> lengths;
  for (const PassSize& row : rows) lengths.push_back(row.tokens);
  const auto dealt = deal_to_lanes(lengths, options.lanes);
  for (std::size_t lane = 0; lane < dealt.size(); ++lane) {
    std::vector<std::int64_t> mine;
    for (const std::size_t row : dealt[lane]) mine.push_back(lengths[row]);
    for (const auto& members : plan_passes(mine, micro_batch_tokens, options.packing)) {
      PassSize pass;
      for (const std::size_t member : members) {
        const PassSize& row = rows[dealt[lane][member]];
        pass.tokens += row.tokens;
        pass.targets += row.targets;
        pass.longest = std::max(pass.longest, row.tokens);
      }
      widen(largest[lane], pass);
    }
  }
}

}  // namespace

std::int64_t memory_cap() {
  const std::int64_t cap = std::min({cgroup_cap(), address_space_cap(), machine_memory()});
  return cap == kNone ? 0 : cap;
}

std::vector<PassSize> largest_passes(const std::vector<PassSize>& rows, const TrainOptions& options,
                                     std::int64_t micro_batch_tokens) {
  std::vector<std::int64_t> lengths;
  for (const PassSize& row : rows) lengths.push_back(row.tokens);
  std::vector<PassSize> largest(static_cast<std::size_t>(options.lanes));
  BatchPlan plan(lengths, options);
  while (!plan.done() && plan.step() < kStepsSeen) {
    std::vector<PassSize> step;
    for (const std::size_t row : plan.next()) step.push_back(rows[row]);
    widen_by_step(step, options, micro_batch_tokens, largest);
  }
  return largest;
}

MemoryPlan plan_memory(const TrainedWeights& weights, const TrainJob& job,
                       const std::vector<PassSize>& passes, std::int64_t micro_batch_tokens) {
  const std::int64_t learnt = weights.layout().size;
  const std::int64_t base = weights.base_layout().size;
  const DecoderOptions options = decoder_options(weights, job);
  MemoryPlan plan;
  plan.process = resident_memory();
  plan.weights = 4 * (weights.is_adapter() ? base + learnt : learnt);
  plan.gradients = 4 * learnt * job.options.lanes;
  plan.optimizer = 2 * learnt * (job.options.optim_state_dtype == "bfloat16" ? 2 : 4);
  for (const PassSize& pass : passes) {
    plan.activations += training_bytes(weights.config(), options, pass);
  }
  plan.micro_batch_tokens = micro_batch_tokens;
  plan.limit = job.io.memory_limit > 0 ? job.io.memory_limit : memory_cap();
  return plan;
}

}  // namespace tapir::student
