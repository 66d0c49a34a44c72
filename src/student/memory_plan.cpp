#include "student/memory_plan.h"

#include <algorithm>

#include "student/gradients.h"
#include "student/torch_plan.h"

namespace tapir::student {
namespace {

// Steps looked at for the largest pass; later ones are drawn from the same rows.
constexpr std::int64_t kStepsSeen = 1000;

// What a process comes to hold after the plan, besides arrays: code that has not run before,
// stacks, files that are copied into the output.
constexpr std::int64_t kHeldLater = std::int64_t{8} << 20;

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

// With these passes, one a lane.
MemoryPlan plan_memory(const TrainedWeights& weights, const TrainJob& job,
                       const std::vector<PassSize>& passes, const Device& device) {
  const std::int64_t learnt = weights.layout().size;
  const std::int64_t frozen = weights.is_adapter() ? weights.base_layout().size : 0;
  const bool own = device.own_kernels();
  const DecoderOptions options = decoder_options(weights, job);
  const DeviceMemory memory = device_memory(device);
  MemoryPlan plan;
  plan.device = device.name;
  plan.process = memory.used + (device.kind() == "cuda" ? 0 : kHeldLater);
  // A device computes from frozen weights in the precision it computes in.
  plan.weights = 4 * learnt + (options.bf16 && !own ? 2 : 4) * frozen;
  plan.gradients = 4 * learnt * static_cast<std::int64_t>(passes.size());
  plan.optimizer = 2 * learnt * (job.options.optim_state_dtype == "bfloat16" ? 2 : 4);
  for (const PassSize& pass : passes) {
    plan.activations += own ? training_bytes(weights.config(), options, pass)
                            : torch_training_bytes(weights.config(), options, pass, device);
  }
  plan.limit = job.io.memory_limit > 0 ? job.io.memory_limit : memory.limit;
  return plan;
}

}  // namespace

std::int64_t wanted_micro_batch_tokens(const TrainIo& io, const Device& device) {
  if (io.micro_batch_tokens > 0) return io.micro_batch_tokens;
  return device.own_kernels() ? kMicroBatchTokens : kTorchMicroBatchTokens;
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

MemoryPlan fitting_plan(const TrainedWeights& weights, const TrainJob& job,
                        const std::vector<const EncodedRow*>& rows, const Device& device) {
  std::vector<PassSize> sizes;
  std::int64_t longest = 0;
  for (const EncodedRow* row : rows) {
    sizes.push_back({static_cast<std::int64_t>(row->tokens.size()), row->supervised, 0});
    longest = std::max(longest, sizes.back().tokens);
  }
  TrainOptions options = job.options;
  if (!device.own_kernels()) options.lanes = 1;
  for (std::int64_t tokens = wanted_micro_batch_tokens(job.io, device);; tokens /= 2) {
    MemoryPlan plan = plan_memory(weights, job, largest_passes(sizes, options, tokens), device);
    plan.micro_batch_tokens = tokens;
    if (plan.limit == 0 || plan.total() <= plan.limit || tokens <= longest) return plan;
  }
}

}  // namespace tapir::student
