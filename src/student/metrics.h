// metrics.jsonl of a training: one object a line, a line every logging_steps steps.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace tapir::student {

struct MetricsRow {
  std::int64_t step = 0;  // from 1
  double epoch = 0;       // rows seen / rows
  double loss = 0;        // of this step, per supervised token
  double learning_rate = 0;
  double grad_norm = 0;                // before clipping
  std::int64_t tokens = 0;             // since the training began
  std::int64_t supervised_tokens = 0;  // likewise
  double tokens_per_second = 0;        // since the row before
  double mfu = 0;  // share of what the lanes' matrix products could reach at most (measured once)
  double memory_gb = 0;             // of the process; of the GPU when it computes there
  std::optional<double> eval_loss;  // of the rows held out, per supervised token
};

// Appends rows. Rows of the same stage beyond `step` are cut at the start: they belong to a past
// that a kill undid.
class MetricsFile {
 public:
  MetricsFile(std::filesystem::path path, std::string stage, std::int64_t step);
  void append(const MetricsRow& row) const;

 private:
  std::filesystem::path path_;
  std::string stage_;
};

// Floating-point operations per second of one core in this build's matrix product. Takes a few
// milliseconds.
double measured_peak();

}  // namespace tapir::student
