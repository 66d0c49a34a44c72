// Novelty by an exact canonical text: two instructions that ask the same have the same one.
#pragma once

#include <functional>
#include <string>
#include <unordered_set>

#include "teach/teach.h"

namespace tapir::teach {

class HashNovelty : public Novelty {
 public:
  using Canonical = std::function<std::string(const Instruction&)>;
  // The reason why a candidate is not wanted whatever is known ("held_out", ...); "" when there is
  // none.
  using Reject = std::function<std::string(const Instruction&)>;

  // also may be empty. A candidate is refused by `also` first, then as "duplicate".
  explicit HashNovelty(Canonical canonical, Reject also = {});

  void add(const Instruction& instruction) override;
  std::string reject(const Instruction& candidate) const override;

 private:
  Canonical canonical_;
  Reject also_;
  std::unordered_set<std::string> known_;  // looked up only
};

}  // namespace tapir::teach
