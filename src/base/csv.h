// Tables of comma-separated values (RFC 4180), as pandas and spreadsheets write them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tapir {

struct CsvTable {
  std::string where;  // names the table in errors
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // each with as many cells as the header
  std::vector<std::size_t> lines;              // [rows], where each begins, from 1

  std::optional<std::size_t> find(std::string_view column) const;
  // Error{data} that lists the columns there are.
  std::size_t column(std::string_view name) const;
  // Nothing where the cell is empty or nan. Error{data} "table:line: column x: ..." where it is no
  // number.
  std::optional<double> number(std::size_t row, std::size_t column) const;
};

// The first line is the header. Blank lines are skipped. Error{data} with table and line: no
// header, a row with more or fewer cells, a quote that is not closed.
CsvTable parse_csv(std::string_view text, std::string where);

// One cell, in quotes where it needs them.
std::string csv_cell(std::string_view text);

}  // namespace tapir
