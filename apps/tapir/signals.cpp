#include "signals.h"

#include <mutex>
#include <thread>
#include <utility>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace tapir::cli {
namespace {

std::mutex handler_mutex;
std::function<bool()> interrupt_handler;

bool handled(int signal_number) {
  const std::lock_guard lock(handler_mutex);
  return signal_number == SIGINT && interrupt_handler && interrupt_handler();
}

}  // namespace

void on_interrupt(std::function<bool()> handler) {
  const std::lock_guard lock(handler_mutex);
  interrupt_handler = std::move(handler);
}

std::stop_token stop_on_signals() {
  static std::stop_source source;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  std::thread([signals] {
    static constexpr char kFirst[] =
        "\ninterrupted: finishing; press Ctrl-C again to stop at once\n";
    for (bool first = true;;) {
      int signal_number = 0;
      if (sigwait(&signals, &signal_number) != 0) return;
      if (handled(signal_number)) continue;
      if (!first) ::_exit(130);
      [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kFirst, sizeof kFirst - 1);
      first = false;
      source.request_stop();
    }
  }).detach();
  return source.get_token();
}

}  // namespace tapir::cli
