#include "evaluate/alpaca_tables.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/csv.h"
#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"

namespace tapir::evaluate {
namespace {

constexpr std::string_view kLengthColumn = "np.tanh(std_delta_len)";
constexpr std::string_view kDifficultyColumn = "instruction_difficulty";
constexpr std::string_view kModelColumn = "not_gamed_baseline.astype(float)";

std::string where_of(const CsvTable& table, std::size_t row) {
  return table.where + ":" + std::to_string(table.lines[row]);
}

double required(const CsvTable& table, std::size_t row, std::size_t column) {
  if (const auto number = table.number(row, column)) return *number;
  throw Error(ErrorKind::data, where_of(table, row) + ": column \"" + table.header[column] +
                                   "\": expected a number, found none");
}

std::int64_t count_at(const CsvTable& table, std::size_t row, std::size_t column) {
  return static_cast<std::int64_t>(std::llround(required(table, row, column)));
}

// Values by place: every place from 0 on exactly once, unless it may come again with the same
// value.
std::vector<double> by_place(const CsvTable& table, std::size_t place_column, bool repeats) {
  const std::size_t value_column = table.column(kDifficultyColumn);
  std::map<std::int64_t, double> values;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const double place = required(table, i, place_column);
    const double value = required(table, i, value_column);
    if (place < 0 || place != std::floor(place)) {
      throw Error(ErrorKind::data, where_of(table, i) + ": expected a place from 0, found " +
                                       table.rows[i][place_column]);
    }
    const auto [known, is_new] = values.emplace(static_cast<std::int64_t>(place), value);
    if (!is_new && (!repeats || known->second != value)) {
      throw Error(ErrorKind::data,
                  where_of(table, i) + ": place " + table.rows[i][place_column] + " came before");
    }
  }
  std::vector<double> ordered;
  for (const auto& [place, value] : values) {
    if (place != static_cast<std::int64_t>(ordered.size())) {
      throw Error(ErrorKind::data,
                  fmt::format("{}: place {} is missing", table.where, ordered.size()));
    }
    ordered.push_back(value);
  }
  return ordered;
}

std::size_t preference_column(const CsvTable& table) {
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    if (table.header[i].starts_with("preference")) return i;
  }
  return table.column("preference");  // says what is missing
}

// As pandas writes numbers: the shortest text that reads back the same, whole ones with ".0".
std::string number_text(double value) { return OrderedJson(value).dump(); }

std::string number_text(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? number_text(*value) : std::string();
}

}  // namespace

std::vector<double> read_difficulties(const std::string& text, const std::string& name) {
  return by_place(parse_csv(text, name), 0, /*repeats=*/false);
}

std::vector<double> difficulties_of_regularization(const std::string& text,
                                                   const std::string& name) {
  const CsvTable table = parse_csv(text, name);
  return by_place(table, table.column("index"), /*repeats=*/true);
}

std::vector<RegularizationRow> read_regularization(const std::string& text,
                                                   const std::string& name) {
  const CsvTable table = parse_csv(text, name);
  const std::size_t delta = table.column("std_delta_len");
  const std::size_t difficulty = table.column(kDifficultyColumn);
  const std::size_t share = preference_column(table);
  const std::size_t not_gamed = table.column("not_gamed_baseline");
  std::vector<RegularizationRow> rows;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const std::string flag = lower_ascii(trim(table.rows[i][not_gamed]));
    if (flag != "true" && flag != "false" && flag != "1" && flag != "0") {
      throw Error(ErrorKind::data, where_of(table, i) +
                                       ": column \"not_gamed_baseline\": expected "
                                       "True or False, found \"" +
                                       table.rows[i][not_gamed] + "\"");
    }
    rows.push_back({required(table, i, delta), required(table, i, difficulty),
                    table.number(i, share), flag == "true" || flag == "1"});
    const std::optional<double>& read = rows.back().share;
    if (read && (*read < 0 || *read > 1)) {
      throw Error(ErrorKind::data, where_of(table, i) + ": column \"" + table.header[share] +
                                       "\": expected a share from 0 to 1, found " +
                                       table.rows[i][share]);
    }
  }
  return rows;
}

WeightTable read_weights(const std::string& text, const std::string& name) {
  const CsvTable table = parse_csv(text, name);
  const std::size_t length = table.column(kLengthColumn);
  const std::size_t difficulty = table.column(kDifficultyColumn);
  const std::size_t model = table.column(kModelColumn);
  WeightTable weights;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const LengthControlWeights row = {required(table, i, length), required(table, i, difficulty),
                                      required(table, i, model)};
    if (weights.emplace(table.rows[i][0], row).second) continue;
    throw Error(ErrorKind::data,
                where_of(table, i) + ": the model \"" + table.rows[i][0] + "\" came before");
  }
  return weights;
}

std::string weights_csv(const WeightTable& weights) {
  std::string text = fmt::format(",{},{},{}\n", kLengthColumn, kDifficultyColumn, kModelColumn);
  for (const auto& [name, w] : weights) {
    text += fmt::format("{},{:.16f},{:.16f},{:.16f}\n", csv_cell(name), w.length, w.difficulty,
                        w.model);
  }
  return text;
}

std::vector<LeaderboardRow> read_leaderboard(const std::string& text, const std::string& name) {
  const CsvTable table = parse_csv(text, name);
  const std::size_t mode = table.column("mode");
  const std::size_t win_rate = table.column("win_rate");
  const std::size_t error = table.column("standard_error");
  const std::size_t wins = table.column("n_wins");
  const std::size_t base = table.column("n_wins_base");
  const std::size_t draws = table.column("n_draws");
  const std::size_t total = table.column("n_total");
  const auto discrete = table.find("discrete_win_rate");
  const auto length = table.find("avg_length");
  const auto lc = table.find("length_controlled_winrate");
  const auto lc_error = table.find("lc_standard_error");
  std::vector<LeaderboardRow> rows;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    LeaderboardRow row;
    row.name = table.rows[i][0];
    row.mode = table.rows[i][mode];
    row.rates = {required(table, i, win_rate),
                 required(table, i, error),
                 discrete ? table.number(i, *discrete).value_or(0) : 0,
                 count_at(table, i, wins),
                 count_at(table, i, base),
                 count_at(table, i, draws),
                 count_at(table, i, total)};
    if (length) row.avg_length = count_at(table, i, *length);
    if (lc) row.length_controlled_winrate = table.number(i, *lc);
    if (lc_error) row.lc_standard_error = table.number(i, *lc_error);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string leaderboard_csv(std::vector<LeaderboardRow> rows) {
  const auto key = [](const LeaderboardRow& row) {
    return row.length_controlled_winrate.value_or(-1);
  };
  std::stable_sort(rows.begin(), rows.end(), [&](const LeaderboardRow& a, const LeaderboardRow& b) {
    return key(a) > key(b);
  });
  std::string text =
      ",win_rate,standard_error,n_wins,n_wins_base,n_draws,n_total,discrete_win_rate,mode,"
      "avg_length,length_controlled_winrate,lc_standard_error\n";
  for (const LeaderboardRow& row : rows) {
    const WinRates& r = row.rates;
    text += fmt::format(
        "{},{},{},{},{},{},{},{},{},{},{},{}\n", csv_cell(row.name), number_text(r.win_rate),
        number_text(r.standard_error), r.n_wins, r.n_wins_base, r.n_draws, r.n_total,
        number_text(r.discrete_win_rate), csv_cell(row.mode), row.avg_length,
        number_text(row.length_controlled_winrate), number_text(row.lc_standard_error));
  }
  return text;
}

}  // namespace tapir::evaluate
