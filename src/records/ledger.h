// The balance of a stage: in = done + failed + filtered.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace tapir {

enum class Outcome { done, failed, filtered };
std::string_view to_string(Outcome outcome);

struct Ledger {
  std::uint64_t in = 0;
  std::uint64_t done = 0;
  std::map<std::string, std::uint64_t> failed;    // by reason
  std::map<std::string, std::uint64_t> filtered;  // by reason

  std::uint64_t failed_total() const;
  std::uint64_t filtered_total() const;
  bool balances() const { return in == done + failed_total() + filtered_total(); }
  bool operator==(const Ledger&) const = default;
};

}  // namespace tapir
