// Ctrl-C once: stop and save. Twice: out at once.
#pragma once

#include <functional>
#include <stop_token>

namespace tapir::cli {

// Blocks SIGINT and SIGTERM in every thread that starts later and handles them on a thread of its
// own. Call first in main.
std::stop_token stop_on_signals();

// A first say in what SIGINT does: true when that was all, false to go on as usual. On the thread
// of the signals; an empty one takes it away again.
void on_interrupt(std::function<bool()> handler);

}  // namespace tapir::cli
