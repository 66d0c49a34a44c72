// How an estimate is shown.
#include <fmt/format.h>

#include "pipeline/estimate.h"
#include "pipeline/estimate_corpus.h"

namespace tapir::pipeline {
namespace {

Json stage_json(const StageEstimate& s) {
  return {{"calls", s.calls},
          {"tokens", s.tokens},
          {"prompt_tokens", s.prompt_tokens},
          {"completion_tokens", s.completion_tokens},
          {"usd", s.usd},
          {"usd_low", s.usd_low},
          {"usd_high", s.usd_high},
          {"sampled", s.sampled},
          {"seconds", s.seconds},
          {"batches", s.batches}};
}

// "52 s", "14 min", "3.2 h"
std::string time_text(double seconds) {
  if (seconds < 120) return fmt::format("{:.1f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace

Json estimate_json(const Estimate& e) {
  Json stages = Json::object();
  for (const StageEstimate& s : e.stages) stages[s.stage] = stage_json(s);
  return {{"stages", stages},
          {"calls", e.calls},
          {"endpoint_tokens", e.endpoint_tokens},
          {"usd", e.usd},
          {"usd_low", e.usd_low},
          {"usd_high", e.usd_high},
          {"seconds", e.seconds},
          {"batches", e.batches},
          {"memory_bytes", e.memory.total()},
          {"memory",
           {{"weights", e.memory.weights},
            {"gradients", e.memory.gradients},
            {"optimizer", e.memory.optimizer},
            {"activations", e.memory.activations},
            {"process", e.memory.process}}},
          {"disk_bytes", e.disk_bytes}};
}

std::string estimate_text(const Estimate& e) {
  std::string out =
      fmt::format("{:<28} {:>9} {:>12} {:>9} {:>9}\n", "stage", "calls", "tokens", "$", "time");
  for (const StageEstimate& s : e.stages) {
    out += fmt::format("{:<28} {:>9} {:>12} {:>9.2f} {:>9}{}\n", s.stage, s.calls, s.tokens, s.usd,
                       time_text(s.seconds),
                       s.batches > 0 ? fmt::format(" + {} batches", s.batches) : std::string());
  }
  out += fmt::format("{:<28} {:>9} {:>12} {:>9.2f} {:>9}\n", "in all", e.calls, "", e.usd,
                     time_text(e.seconds));
  for (const StageEstimate& s : e.stages) {
    if (!s.sampled) continue;
    out += fmt::format("{}: as sampled, ${:.2f} to ${:.2f} with 95 % confidence\n", s.stage,
                       s.usd_low, s.usd_high);
  }
  if (e.usd_high > e.usd_low) {
    out += fmt::format("in all ${:.2f} to ${:.2f}; what was not sampled counts as assumed\n",
                       e.usd_low, e.usd_high);
  }
  if (e.batches > 0) {
    out += fmt::format("{} batches one after the other, each of up to a day, come on top\n",
                       e.batches);
  }
  out += fmt::format("endpoint tokens {}   disk {:.2f} GB\n", e.endpoint_tokens,
                     static_cast<double>(e.disk_bytes) / 1e9);
  return out + memory_text(e.memory) + "\n";
}

std::string memory_text(const student::MemoryPlan& m) {
  const auto gb = [](std::int64_t bytes) { return static_cast<double>(bytes) / 1e9; };
  const bool gpu = m.device.starts_with("cuda");
  return fmt::format(
      "memory{}: {:.2f} GB = {:.2f} weights + {:.2f} gradients + {:.2f} optimizer + {:.2f} "
      "activations (passes of {} tokens) + {:.2f} {}",
      gpu ? " of " + m.device : "", gb(m.total()), gb(m.weights), gb(m.gradients), gb(m.optimizer),
      gb(m.activations), m.micro_batch_tokens, gb(m.process),
      gpu ? "in use already" : "program and rows");
}

std::string assumptions_text() {
  return fmt::format(
      "assumed: {:.1f} new rows per hard row of a mixture; {:.0f} % of pairs need a second order;\n"
      "a refined answer is {:.1f} times as long, a judge's reply {:.0f} tokens; {:.0f} bytes make "
      "a "
      "token;\n"
      "an endpoint answers after {:.0f} s with {:.0f} tokens a second; the student trains at "
      "{:.0f} "
      "GFLOPS\n",
      assumed::kNewPerHard, 100 * assumed::kSecondOrders, assumed::kStyledAnswer,
      assumed::kJudgeReply, assumed::kBytesPerToken, assumed::kFirstToken,
      assumed::kTokensPerSecond, assumed::kTrainFlops / 1e9);
}

}  // namespace tapir::pipeline
