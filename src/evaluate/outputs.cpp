#include "evaluate/outputs.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/strings.h"

namespace tapir::evaluate {
namespace {

constexpr std::int64_t kEnough = 20;     // answers or pairs, for a share to say something
constexpr double kConstant = 0.5;        // share of the commonest answer
constexpr double kMoreDuplicates = 0.3;  // above the reference's share
constexpr double kManyDuplicates = 0.5;  // where there is no reference
constexpr double kManyBlank = 0.1;
constexpr double kRoundDrift = 2;      // times, against the round before
constexpr double kReferenceDrift = 3;  // times, against the reference
constexpr double kConsistent = 0.7;
constexpr std::size_t kShownBytes = 80;

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double median(std::vector<std::size_t> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const auto upper = static_cast<double>(values[middle]);
  return values.size() % 2 == 1 ? upper : (static_cast<double>(values[middle - 1]) + upper) / 2;
}

bool is_drift(double now, double then, double times) {
  return now * times <= then || now >= then * times;
}

// The commonest answer is alike beyond what the questions themselves bring.
bool is_constant(const OutputCheck& check) {
  const double own = check.own.commonest_share();
  if (own < kConstant) return false;
  return !check.reference || check.reference->commonest_share() <= own / 2;
}

bool has_duplicates(const OutputCheck& check) {
  const double own = check.own.duplicate_share();
  return check.reference ? own >= check.reference->duplicate_share() + kMoreDuplicates
                         : own > kManyDuplicates;
}

std::string drift_words(const std::string& who, double now, double then, std::string_view than) {
  return fmt::format("{}: the median answer has {:.0f} characters, {} {:.0f}", who, now, than,
                     then);
}

}  // namespace

double Outputs::duplicate_share() const { return share(duplicate, answers); }
double Outputs::commonest_share() const { return share(commonest, answers); }

Outputs look_at(std::span<const std::string> answers) {
  Outputs outputs;
  std::map<std::string, std::int64_t> times;
  std::vector<std::size_t> lengths;
  for (const std::string& answer : answers) {
    const std::string folded = join(split_whitespace(answer), " ");
    outputs.blank += folded.empty() ? 1 : 0;
    ++times[folded];
    lengths.push_back(count_code_points(answer));
  }
  outputs.answers = static_cast<std::int64_t>(answers.size());
  outputs.distinct = static_cast<std::int64_t>(times.size());
  outputs.median_length = median(std::move(lengths));
  for (const auto& [text, count] : times) {
    outputs.duplicate += count > 1 ? count : 0;
    if (count <= outputs.commonest) continue;
    outputs.commonest = count;
    outputs.commonest_text = valid_utf8(text.substr(0, kShownBytes));
  }
  return outputs;
}

std::vector<std::string> output_warnings(const OutputCheck& check) {
  const Outputs& own = check.own;
  std::vector<std::string> warnings;
  if (own.answers < check.asked) {
    warnings.push_back(fmt::format("{}: {} of {} rows have no answer", check.who,
                                   check.asked - own.answers, check.asked));
  }
  if (own.answers < kEnough) return warnings;
  if (is_constant(check)) {
    warnings.push_back(fmt::format("{}: {:.1f} % of {} answers are the same text: \"{}\"",
                                   check.who, 100 * own.commonest_share(), own.answers,
                                   own.commonest_text));
  } else if (has_duplicates(check)) {
    warnings.push_back(fmt::format("{}: {:.1f} % of {} answers are given to another row too{}",
                                   check.who, 100 * own.duplicate_share(), own.answers,
                                   check.reference
                                       ? fmt::format(" (of the right answers {:.1f} %)",
                                                     100 * check.reference->duplicate_share())
                                       : ""));
  }
  if (share(own.blank, own.answers) >= kManyBlank)
    warnings.push_back(
        fmt::format("{}: {} of {} answers are blank", check.who, own.blank, own.answers));
  if (check.before && is_drift(own.median_length, check.before->median_length, kRoundDrift)) {
    warnings.push_back(drift_words(check.who, own.median_length, check.before->median_length,
                                   "that of the round before"));
  } else if (check.reference &&
             is_drift(own.median_length, check.reference->median_length, kReferenceDrift)) {
    warnings.push_back(drift_words(check.who, own.median_length, check.reference->median_length,
                                   "that of the right answers"));
  }
  return warnings;
}

std::optional<std::string> position_warning(std::int64_t pairs, double consistency) {
  if (pairs < kEnough || consistency >= kConsistent) return std::nullopt;
  return fmt::format(
      "the judge: the same answer wins in both orders in only {:.1f} % of {} pairs; the others go "
      "by place",
      100 * consistency, pairs);
}

std::optional<std::string> near_copy_warning(std::int64_t rows, std::int64_t near_copies) {
  if (near_copies == 0) return std::nullopt;
  return fmt::format("{} of {} rows to train on are near-copies of items of an evaluation set",
                     near_copies, rows);
}

}  // namespace tapir::evaluate
