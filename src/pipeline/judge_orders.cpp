// Adaptive orders replayed on pairs that were judged in both.
#include <fmt/format.h>

#include "base/error.h"
#include "difficulty/orders.h"
#include "pipeline/judge_file.h"

namespace tapir::pipeline {
namespace {

double gap_of(const Json& row, const char* order, const std::string& where) {
  const auto scores = json_get<std::vector<double>>(row, order, where);
  if (scores.size() != 2) {
    throw Error(ErrorKind::data,
                fmt::format("{}: key \"{}\": expected [teacher's score, student's], found {} "
                            "numbers",
                            where, order, scores.size()));
  }
  return scores[0] - scores[1];
}

std::vector<difficulty::RecordedPair> read_pairs(const std::string& input) {
  std::vector<difficulty::RecordedPair> pairs;
  for_each_jsonl(input, [&](const Json& row, const std::string& where) {
    const Json id = row.value("id", Json(std::to_string(pairs.size())));
    pairs.push_back({id.is_string() ? id.get<std::string>() : id.dump(),
                     {gap_of(row, "teacher_first", where), gap_of(row, "student_first", where)}});
  });
  if (pairs.empty()) throw Error(ErrorKind::data, input + " has no rows");
  return pairs;
}

Json replay(const std::vector<difficulty::RecordedPair>& pairs, double threshold,
            const JudgeOrdersOptions& options) {
  difficulty::JudgeOptions judging;
  judging.threshold = threshold;
  judging.strict = options.strict;
  judging.pilot_rows = options.pilot_rows;
  judging.max_flip_rate = options.max_flip_rate;
  double band = 0;
  double second = 0;
  double saved = 0;
  double flips = 0;
  double single_flips = 0;
  difficulty::OrdersReplay last;
  for (int i = 0; i < options.seeds; ++i) {
    judging.seed = options.seed + static_cast<std::uint64_t>(i);
    last = difficulty::replay_adaptive(pairs, judging, options.hindsight);
    band += last.band / options.seeds;
    second += static_cast<double>(last.second_calls) / options.seeds;
    saved += static_cast<double>(last.saved_calls) / options.seeds;
    flips += static_cast<double>(last.flips) / options.seeds;
    single_flips += static_cast<double>(last.single_flips) / options.seeds;
  }
  const auto count = static_cast<double>(pairs.size());
  return {{"threshold", threshold},
          {"pilot", last.pilot},
          {"band", band},
          {"hard", last.hard},
          {"second_calls", second},
          {"saved_calls", saved},
          {"saved_share", saved / count},
          {"flips", flips},
          {"flip_rate", flips / count},
          {"single_flip_rate", single_flips / count}};
}

}  // namespace

Json judge_orders(const JudgeOrdersOptions& options) {
  const std::vector<difficulty::RecordedPair> pairs = read_pairs(options.input);
  Json thresholds = Json::array();
  for (const double threshold : options.thresholds)
    thresholds.push_back(replay(pairs, threshold, options));
  return {{"pairs", pairs.size()}, {"seeds", options.seeds}, {"thresholds", thresholds}};
}

std::string judge_orders_text(const Json& orders) {
  std::string out = fmt::format(
      "{} pairs, mean of {} draws\n{:>9} {:>6} {:>6} {:>6} {:>14} {:>14} {:>12} {:>16}\n",
      orders["pairs"].get<std::int64_t>(), orders["seeds"].get<int>(), "threshold", "hard", "pilot",
      "band", "second calls", "saved", "flips", "flips (single)");
  const double pairs = orders["pairs"].get<double>();
  for (const Json& row : orders["thresholds"]) {
    out += fmt::format("{:>9.1f} {:>6} {:>6} {:>6.2f} {:>14.1f} {:>14.1f} {:>12.2f} {:>16.1f}\n",
                       row["threshold"].get<double>(), row["hard"].get<std::int64_t>(),
                       row["pilot"].get<std::int64_t>(), row["band"].get<double>(),
                       row["second_calls"].get<double>(), row["saved_calls"].get<double>(),
                       row["flips"].get<double>(), pairs * row["single_flip_rate"].get<double>());
  }
  return out;
}

}  // namespace tapir::pipeline
