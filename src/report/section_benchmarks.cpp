#include <fmt/format.h>

#include "report/html.h"
#include "report/sections.h"

namespace tapir::report {
namespace {

constexpr const char* kNone = "\xE2\x80\x93";

std::string with_error(const std::optional<double>& value, const std::optional<double>& error) {
  if (!value) return kNone;
  return decimal(*value, 2) +
         (error ? fmt::format("<br><small>\xC2\xB1 {}</small>", decimal(*error, 2)) : "");
}

std::string who(const BenchmarkRow& row) {
  return row.student == "s0" ? "S\xE2\x82\x80" : escape(row.student);
}

std::string alpaca_card(const std::vector<BenchmarkRow>& rows) {
  if (rows.empty()) return {};
  Table table({{"student", false},
               {"LC win rate"},
               {"win rate"},
               {"characters"},
               {"rows"},
               {"missing"},
               {"judge", false}});
  std::string note =
      "Percent of the answers that the judge prefers to the baseline's, with standard errors; LC: "
      "if both were of one length.";
  for (const BenchmarkRow& row : rows) {
    table.row({who(row), with_error(row.lc, row.lc_standard_error),
               with_error(row.win_rate, row.standard_error), decimal(row.avg_length, 0),
               number(row.items), number(row.failed), escape(row.judge)},
              row.student == "final" ? "main" : "");
  }
  if (!rows.back().not_comparable.empty())
    note += " Not comparable with the leaderboard: " + escape(rows.back().not_comparable) + ".";
  return card("AlpacaEval 2.0", table.html(), note);
}

std::string mt_bench_card(const std::vector<BenchmarkRow>& rows) {
  if (rows.empty()) return {};
  Table table({{"student", false},
               {"average"},
               {"turn 1"},
               {"turn 2"},
               {"judgments"},
               {"failed"},
               {"judge", false}});
  for (const BenchmarkRow& row : rows) {
    std::string average = with_error(row.average, std::nullopt);
    if (row.average_interval)
      average += fmt::format("<br><small>[{}, {}]</small>", decimal(row.average_interval->low, 2),
                             decimal(row.average_interval->high, 2));
    table.row({who(row), average, with_error(row.turn1, std::nullopt),
               with_error(row.turn2, std::nullopt), number(row.items), number(row.failed),
               escape(row.judge)},
              row.student == "final" ? "main" : "");
  }
  return card("MT-Bench", table.html(),
              "Mean rating from 1 to 10, with 95&nbsp;% intervals over questions; failed judgments "
              "are counted beside the mean, not in it.");
}

}  // namespace

std::string benchmarks_section(const ReportData& data) {
  if (data.benchmarks.empty()) return {};
  const std::string cards =
      alpaca_card(data.benchmarks.alpaca_eval) + mt_bench_card(data.benchmarks.mt_bench);
  return section("benchmarks", "Benchmarks",
                 "What the students of this run score on the benchmarks that the recipe names.",
                 cards);
}

}  // namespace tapir::report
