#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "curriculum/curriculum.h"
#include "curriculum/spread.h"

namespace tapir::curriculum {
namespace {

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

// Why the easy stratum is short: its rows ran out, in all or in single tasks.
std::string easy_short_sentence(const QuotaInput& input, std::int64_t wanted, std::int64_t given) {
  const auto rows = static_cast<double>(input.rows);
  return "easy share " + percent(static_cast<double>(given) / rows) + " instead of " +
         percent(static_cast<double>(wanted) / rows) +
         ": the unused easy rows that fit the task shares are " + std::to_string(wanted - given) +
         " short, hard rows stand in for them";
}

}  // namespace

Quotas quotas(const QuotaInput& input) {
  check(input.rows >= 0, "quotas: negative rows");
  check(input.alpha >= 0 && input.alpha <= 1, "quotas: alpha must lie in [0, 1]");
  const auto totals = apportion(input.rows, input.shares);
  const std::int64_t wanted =
      input.rows - std::llround(input.alpha * static_cast<double>(input.rows));

  std::map<std::string, std::int64_t> caps;  // e_t <= min(M Pr(t), distinct easy rows of t)
  for (const auto& [task, total] : totals) {
    const auto available = input.easy_available.find(task);
    const std::int64_t rows = available == input.easy_available.end() ? 0 : available->second;
    check(rows >= 0, "quotas: negative number of easy rows");
    caps[task] = std::min(total, rows);
  }
  const auto easy = spread(wanted, input.shares, caps);

  Quotas result;
  std::int64_t given = 0;
  for (const auto& [task, total] : totals) {
    result.by_task[task] = {easy.at(task), total - easy.at(task)};
    given += easy.at(task);
  }
  result.easy_short = wanted - given;
  if (result.easy_short > 0) result.relaxed.push_back(easy_short_sentence(input, wanted, given));
  return result;
}

std::map<std::string, std::int64_t> needed(const Quotas& quotas,
                                           const std::vector<Candidate>& hard) {
  std::map<std::string, std::int64_t> unused;
  for (const Candidate& candidate : hard) {
    if (candidate.uses == 0) ++unused[candidate.task];
  }
  std::map<std::string, std::int64_t> result;
  for (const auto& [task, quota] : quotas.by_task) {
    const auto found = unused.find(task);
    const std::int64_t rows = quota.hard - (found == unused.end() ? 0 : found->second);
    if (rows > 0) result[task] = rows;
  }
  return result;
}

}  // namespace tapir::curriculum
