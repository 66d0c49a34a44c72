#include "signals.h"

#include <thread>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace tapir::cli {

std::stop_token stop_on_signals() {
  static std::stop_source source;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  std::thread([signals] {
    static constexpr char kFirst[] = "\ninterrupted: saving; press Ctrl-C again to stop at once\n";
    for (bool first = true;; first = false) {
      int signal_number = 0;
      if (sigwait(&signals, &signal_number) != 0) return;
      if (!first) ::_exit(130);
      [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kFirst, sizeof kFirst - 1);
      source.request_stop();
    }
  }).detach();
  return source.get_token();
}

}  // namespace tapir::cli
