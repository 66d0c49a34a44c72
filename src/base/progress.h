// How long work tells of itself. Library code reports; who shows it (a terminal line, plain lines,
// nothing) decides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tapir {

struct ProgressUpdate {
  std::string stage;       // "difficulty", "round 2: train tapir"
  std::uint64_t done = 0;  // rows, or steps
  std::uint64_t failed = 0;
  std::uint64_t total = 0;  // 0: unknown
  double usd = 0;           // spent in this stage
  std::string detail;       // free text: "loss 1.23  35 k tok/s"
};

// Thread-safe. update() may be called as often as one likes; the implementation thins it out.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  virtual void update(const ProgressUpdate& update) = 0;
  virtual void message(std::string_view line) = 0;  // one line that stays
};

// Shows nothing.
ProgressSink& silent_progress();

}  // namespace tapir
