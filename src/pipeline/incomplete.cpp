#include "pipeline/incomplete.h"

#include <fmt/format.h>

#include "base/error.h"

namespace tapir::pipeline {

void throw_incomplete(const Incomplete& why) {
  if (why.stopped) {
    throw Error(ErrorKind::interrupted, "interrupted in " + why.stage,
                "what was answered is kept; the same command goes on from here");
  }
  const std::int64_t waiting = why.model == nullptr ? 0 : why.model->waiting();
  if (waiting > 0) {
    const char* more =
        why.budget.exhausted() ? "; the budget may not pay for more of them at once" : "";
    const std::string folder = why.folder.string();
    throw Error(
        ErrorKind::waiting,
        fmt::format("{}: {} requests of the {} wait for a batch{}", why.stage, waiting, why.role,
                    more),
        fmt::format("`tapir batch export {0}` writes them as files; `tapir batch import {0} "
                    "FILE...` takes the replies in; then the same command goes on",
                    folder));
  }
  if (why.budget.exhausted()) {
    throw Error(ErrorKind::budget,
                fmt::format("{}: the budget is reached: ${:.2f} spent", why.stage,
                            why.budget.spent().usd()),
                "what was answered is kept; raise budget.max_usd or budget.max_tokens and run the "
                "same command again");
  }
  const std::string trouble = why.model == nullptr ? std::string() : why.model->trouble();
  throw Error(ErrorKind::endpoint,
              fmt::format("{}: the {} left rows without an answer{}{}", why.stage, why.role,
                          trouble.empty() ? "" : ": ", trouble),
              "what was answered is kept; run the same command again when the endpoint is well");
}

}  // namespace tapir::pipeline
