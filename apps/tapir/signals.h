// Ctrl-C once: stop and save. Twice: out at once.
#pragma once

#include <stop_token>

namespace tapir::cli {

// Blocks SIGINT and SIGTERM in every thread that starts later and handles them on a thread of its
// own. Call first in main.
std::stop_token stop_on_signals();

}  // namespace tapir::cli
