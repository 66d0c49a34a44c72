#include "teach/novelty.h"

#include <utility>

#include "base/error.h"

namespace tapir::teach {

HashNovelty::HashNovelty(Canonical canonical, Reject also)
    : canonical_(std::move(canonical)), also_(std::move(also)) {
  check(static_cast<bool>(canonical_), "HashNovelty: a canonical function is given");
}

void HashNovelty::add(const Instruction& instruction) { known_.insert(canonical_(instruction)); }

std::string HashNovelty::reject(const Instruction& candidate) const {
  if (also_) {
    std::string reason = also_(candidate);
    if (!reason.empty()) return reason;
  }
  return known_.contains(canonical_(candidate)) ? "duplicate" : "";
}

}  // namespace tapir::teach
