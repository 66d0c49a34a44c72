// Progress on standard error: one line that is rewritten on a terminal, plain lines now and then
// elsewhere.
#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>

#include "base/progress.h"

namespace tapir::cli {

class TerminalProgress final : public ProgressSink {
 public:
  TerminalProgress();
  ~TerminalProgress() override;
  void update(const ProgressUpdate& update) override;
  void message(std::string_view line) override;
  // Messages and plain progress lines go to this file too (log.txt of a run).
  void log_to(const std::filesystem::path& file);

 private:
  using Clock = std::chrono::steady_clock;
  void end_line();
  std::string line_of(const ProgressUpdate& update) const;

  std::mutex mutex_;
  const bool terminal_;
  bool line_open_ = false;
  std::string stage_;
  std::uint64_t first_done_ = 0;  // of this sitting: rates do not count what was there before
  Clock::time_point stage_start_;
  Clock::time_point last_shown_;
  std::ofstream log_;
};

}  // namespace tapir::cli
