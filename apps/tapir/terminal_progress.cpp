#include "terminal_progress.h"

#include <cstdio>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

namespace tapir::cli {
namespace {

std::string time_left(double seconds) {
  if (seconds < 60) return fmt::format("{:.0f} s", seconds);
  if (seconds < 3600) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace

TerminalProgress::TerminalProgress() : terminal_(::isatty(STDERR_FILENO) == 1) {}

TerminalProgress::~TerminalProgress() { end_line(); }

void TerminalProgress::log_to(const std::filesystem::path& file) {
  const std::lock_guard lock(mutex_);
  log_.open(file, std::ios::app);
}

void TerminalProgress::update(const ProgressUpdate& update) {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  const bool fresh = update.stage != stage_;
  if (fresh) {
    end_line();
    stage_ = update.stage;
    stage_start_ = now;
    first_done_ = update.done > 0 ? update.done - 1 : 0;
  }
  const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10000);
  const bool last = update.total > 0 && update.done >= update.total;
  if (!fresh && !last && now - last_shown_ < pause) return;
  last_shown_ = now;
  if (terminal_) {
    fmt::print(stderr, "\r\x1b[K{}", line_of(update));
    std::fflush(stderr);
    line_open_ = true;
  } else {
    fmt::print(stderr, "{}\n", line_of(update));
  }
  if (last) end_line();
}

void TerminalProgress::message(std::string_view line) {
  const std::lock_guard lock(mutex_);
  end_line();
  fmt::print(stderr, "{}\n", line);
  if (log_) {
    log_ << fmt::format("{:%Y-%m-%dT%H:%M:%S} {}\n", fmt::localtime(std::time(nullptr)), line);
    log_.flush();
  }
}

void TerminalProgress::end_line() {
  if (line_open_) fmt::print(stderr, "\n");
  line_open_ = false;
}

std::string TerminalProgress::line_of(const ProgressUpdate& update) const {
  std::string line = fmt::format("{:<28} {:>7}", update.stage, update.done);
  if (update.total > 0)
    line +=
        fmt::format("/{} {:>3.0f} %", update.total,
                    100.0 * static_cast<double>(update.done) / static_cast<double>(update.total));
  if (update.failed > 0) line += fmt::format("  {} failed", update.failed);
  const double seconds = std::chrono::duration<double>(Clock::now() - stage_start_).count();
  const double done = static_cast<double>(update.done) - static_cast<double>(first_done_);
  if (seconds > 0.5 && done > 0) {
    const double rate = done / seconds;
    line += fmt::format("  {:.0f}/s", rate);
    if (update.total > update.done)
      line += fmt::format("  {} left",
                          time_left(static_cast<double>(update.total - update.done) / rate));
  }
  if (update.usd > 0) line += fmt::format("  ${:.2f}", update.usd);
  if (!update.detail.empty()) line += "  " + update.detail;
  return line;
}

}  // namespace tapir::cli
