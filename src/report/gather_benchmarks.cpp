// What the benchmarks came to, as the pipeline keeps it in the info of their stages
// (pipeline/benchmarks.h).
#include "report/gather.h"

namespace tapir::report {
namespace {

std::optional<double> maybe(const Json& figures, const char* name) {
  const auto found = figures.find(name);
  if (found == figures.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

BenchmarkRow row_of(const Json& benchmark) {
  BenchmarkRow row;
  row.student = benchmark.at("student").get<std::string>();
  const Json& figures = benchmark.at("figures");
  if (!figures.is_object()) return row;
  row.judge = figures.at("judge").get<std::string>();
  row.win_rate = maybe(figures, "win_rate");
  row.standard_error = maybe(figures, "standard_error");
  row.lc = maybe(figures, "length_controlled_winrate");
  row.lc_standard_error = maybe(figures, "lc_standard_error");
  row.average = maybe(figures, "average");
  row.turn1 = maybe(figures, "turn1");
  row.turn2 = maybe(figures, "turn2");
  const auto low = maybe(figures, "low");
  const auto high = maybe(figures, "high");
  if (low && high) row.average_interval = stats::Interval{*low, *high};
  row.avg_length = figure<double>(figures, "avg_length", 0);
  row.items = figure<std::int64_t>(figures, row.average ? "judgments" : "n_total", 0);
  row.failed = row.average ? figure<std::int64_t>(figures, "failed", 0)
                           : figure<std::int64_t>(figures, "missing_rows", 0) +
                                 figure<std::int64_t>(figures, "missing_preferences", 0);
  row.not_comparable = figures.value("not_comparable", "");
  return row;
}

}  // namespace

Benchmarks gather_benchmarks(const store::RunStore& store) {
  Benchmarks benchmarks;
  for (const store::StageRecord& stage : store.stages()) {
    const Json info = read_info(stage.info);
    if (!stage.finished || !info.is_object() || !info.contains("benchmark")) continue;
    const Json& benchmark = info["benchmark"];
    const bool alpaca = benchmark.at("benchmark") == "alpaca_eval";
    (alpaca ? benchmarks.alpaca_eval : benchmarks.mt_bench).push_back(row_of(benchmark));
  }
  return benchmarks;
}

}  // namespace tapir::report
