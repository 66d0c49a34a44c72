#include "difficulty/judge_statistics.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "difficulty/judgment_table.h"

namespace tapir::difficulty {
namespace {

// A warning needs so many readings, and so large a share of them.
constexpr std::int64_t kEnough = 20;
constexpr double kNearlyAll = 0.95;
constexpr double kMostReadable = 0.8;
constexpr double kMostByPlace = 0.5;

double share_of(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

int sign(double value) { return value > 0 ? 1 : value < 0 ? -1 : 0; }

bool is_read(const Judgment& judgment) {
  return judgment.failure.empty() && judgment.teacher_score && judgment.student_score;
}

void count_reply(const Judgment& judgment, JudgeStatistics& s) {
  if (!is_read(judgment) && !is_unread(judgment.failure)) {
    ++s.refused;
    return;
  }
  ++s.replies;
  s.asked_again += judgment.attempt > 0 ? 1 : 0;
  if (judgment.failure == "out_of_range") {
    ++s.out_of_range;
  } else if (!is_read(judgment)) {
    ++s.unreadable;
  } else if (prompting::read_pair_scores(judgment.text).dressed) {
    ++s.tolerant;
  } else {
    ++s.strict;
  }
}

void count_pair(const Judgment& teacher_first, const Judgment& student_first,
                const Threshold& threshold, JudgeStatistics& s) {
  const double first = *teacher_first.teacher_score - *teacher_first.student_score;
  const double second = *student_first.teacher_score - *student_first.student_score;
  ++s.both_orders;
  s.same_winner += sign(first) == sign(second) ? 1 : 0;
  s.first_wins += first > 0 && second < 0 ? 1 : 0;
  s.second_wins += first < 0 && second > 0 ? 1 : 0;
  s.decisions_flip += threshold.passed_by(first) != threshold.passed_by(second) ? 1 : 0;
  s.position_bias += (first - second) / 2;
}

// The commonest of all scores, teacher's and student's together.
std::pair<double, std::int64_t> commonest_score(const JudgeStatistics& s) {
  std::map<double, std::int64_t> all = s.teacher_scores;
  for (const auto& [score, count] : s.student_scores) all[score] += count;
  std::pair<double, std::int64_t> best{0, 0};
  for (const auto& [score, count] : all) {
    if (count > best.second) best = {score, count};
  }
  return best;
}

}  // namespace

double JudgeStatistics::parse_rate() const {
  return replies == 0 ? 1 : share_of(strict + tolerant, replies);
}

double JudgeStatistics::position_consistency() const {
  return both_orders == 0 ? 1 : share_of(same_winner, both_orders);
}

JudgeStatistics judge_statistics(std::span<const Judgment> judgments, const Threshold& threshold) {
  JudgeStatistics s;
  std::map<std::string, std::array<const Judgment*, 2>> pairs;
  for (const Judgment& judgment : judgments) {
    count_reply(judgment, s);
    if (!is_read(judgment)) continue;
    const Judgment*& counts = pairs[judgment.instruction_id][index_of(judgment.order)];
    if (counts == nullptr || judgment.attempt < counts->attempt) counts = &judgment;
  }
  for (const auto& [id, readings] : pairs) {
    for (const Judgment* reading : readings) {
      if (reading == nullptr) continue;
      ++s.readings;
      ++s.teacher_scores[*reading->teacher_score];
      ++s.student_scores[*reading->student_score];
      s.ties += *reading->teacher_score == *reading->student_score ? 1 : 0;
    }
    if (readings[0] != nullptr && readings[1] != nullptr)
      count_pair(*readings[0], *readings[1], threshold, s);
  }
  if (s.both_orders > 0) s.position_bias /= static_cast<double>(s.both_orders);
  return s;
}

std::vector<std::string> judge_warnings(const JudgeStatistics& s) {
  std::vector<std::string> warnings;
  if (s.replies >= kEnough && s.parse_rate() < kMostReadable) {
    warnings.push_back(fmt::format(
        "the judge's scores could be read in {:.1f} % of its {} replies only: does it follow the "
        "prompt? `tapir inspect` shows its words",
        100 * s.parse_rate(), s.replies));
  }
  if (s.readings < kEnough) return warnings;
  const auto [score, count] = commonest_score(s);
  if (share_of(count, 2 * s.readings) >= kNearlyAll) {
    warnings.push_back(fmt::format(
        "the judge gives {:g} nearly always: {} of {} scores ({:.1f} %); it does not tell answers "
        "apart",
        score, count, 2 * s.readings, 100 * share_of(count, 2 * s.readings)));
  } else if (share_of(s.ties, s.readings) >= kNearlyAll) {
    warnings.push_back(fmt::format(
        "the judge gives both answers the same score in {} of {} readings ({:.1f} %): either they "
        "are equally good, or it does not tell them apart",
        s.ties, s.readings, 100 * share_of(s.ties, s.readings)));
  }
  for (const auto& [wins, place] :
       {std::pair{s.first_wins, "first"}, std::pair{s.second_wins, "second"}}) {
    if (s.both_orders < kEnough || share_of(wins, s.both_orders) < kMostByPlace) continue;
    warnings.push_back(fmt::format(
        "the judge prefers whichever answer is shown {} in {} of {} pairs ({:.1f} %): it judges "
        "the place, not the answer",
        place, wins, s.both_orders, 100 * share_of(wins, s.both_orders)));
  }
  return warnings;
}

double Agreement::share() const { return share_of(both + neither, rows); }

double Agreement::kappa() const {
  if (rows == 0) return 0;
  const double by_judge = share_of(both + judge_only, rows);
  const double by_auditor = share_of(both + auditor_only, rows);
  const double chance = by_judge * by_auditor + (1 - by_judge) * (1 - by_auditor);
  return chance >= 1 ? 0 : (share() - chance) / (1 - chance);
}

Agreement agreement_of(std::span<const Fit> judge, std::span<const Fit> auditor,
                       const SelectOptions& options) {
  std::map<std::string_view, const Fit*> by_id;
  for (const Fit& fit : judge) by_id[fit.instruction_id] = &fit;
  Agreement agreement;
  for (const Fit& audited : auditor) {
    const auto found = by_id.find(audited.instruction_id);
    if (found == by_id.end()) continue;
    const bool first = is_hard(*found->second, options);
    const bool second = is_hard(audited, options);
    ++agreement.rows;
    ++(first ? (second ? agreement.both : agreement.judge_only)
             : (second ? agreement.auditor_only : agreement.neither));
    agreement.mean_gap_difference += found->second->gap() - audited.gap();
  }
  if (agreement.rows > 0) agreement.mean_gap_difference /= static_cast<double>(agreement.rows);
  agreement.interval = stats::wilson_interval(agreement.both + agreement.neither, agreement.rows);
  return agreement;
}

}  // namespace tapir::difficulty
