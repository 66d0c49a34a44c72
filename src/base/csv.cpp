#include "base/csv.h"

#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/strings.h"

namespace tapir {
namespace {

// Takes rows off a text, one by one.
class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& where) : text_(text), where_(where) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  bool at_end() const { return text_.empty(); }
  std::size_t line() const { return line_; }

  std::vector<std::string> row() {
    std::vector<std::string> cells;
    do {
      cells.push_back(text_.starts_with('"') ? quoted_cell() : plain_cell());
    } while (take(","));
    if (!take("\r\n") && !take("\n") && !at_end()) {
      throw Error(ErrorKind::data, where_ + ":" + std::to_string(line_) +
                                       ": expected a comma or the line's end behind a quoted cell");
    }
    ++line_;
    return cells;
  }

 private:
  bool take(std::string_view what) {
    if (!text_.starts_with(what)) return false;
    text_.remove_prefix(what.size());
    return true;
  }

  std::string plain_cell() {
    std::size_t length = std::min(text_.find_first_of(",\n"), text_.size());
    if (length > 0 && length < text_.size() && text_[length] == '\n' && text_[length - 1] == '\r')
      --length;
    std::string cell(text_.substr(0, length));
    text_.remove_prefix(length);
    return cell;
  }

  std::string quoted_cell() {
    const std::size_t begin = line_;
    text_.remove_prefix(1);
    std::string cell;
    while (true) {
      const std::size_t quote = text_.find('"');
      if (quote == std::string_view::npos) {
        throw Error(ErrorKind::data,
                    where_ + ":" + std::to_string(begin) + ": a quote is opened and never closed");
      }
      for (const char c : text_.substr(0, quote)) line_ += c == '\n' ? 1 : 0;
      cell += text_.substr(0, quote);
      text_.remove_prefix(quote + 1);
      if (!take("\"")) return cell;
      cell += '"';
    }
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t line_ = 1;
};

}  // namespace

std::optional<std::size_t> CsvTable::find(std::string_view column) const {
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (header[i] == column) return i;
  }
  return std::nullopt;
}

std::size_t CsvTable::column(std::string_view name) const {
  if (const auto found = find(name)) return *found;
  throw Error(ErrorKind::data, where + ": expected a column \"" + std::string(name) + "\", found " +
                                   join(header, ", "));
}

std::optional<double> CsvTable::number(std::size_t row, std::size_t column) const {
  const std::string_view cell = trim(rows[row][column]);
  if (cell.empty() || lower_ascii(cell) == "nan") return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error == std::errc{} && end == cell.data() + cell.size() && std::isfinite(value))
    return value;
  throw Error(ErrorKind::data, where + ":" + std::to_string(lines[row]) + ": column \"" +
                                   header[column] + "\": expected a number, found \"" +
                                   std::string(cell.substr(0, 40)) + "\"");
}

CsvTable parse_csv(std::string_view text, std::string where) {
  CsvTable table;
  table.where = std::move(where);
  CsvReader reader(text, table.where);
  if (reader.at_end())
    throw Error(ErrorKind::data, table.where + ": expected a header, found nothing");
  table.header = reader.row();
  while (!reader.at_end()) {
    const std::size_t line = reader.line();
    std::vector<std::string> cells = reader.row();
    if (cells.size() == 1 && trim(cells[0]).empty()) continue;
    if (cells.size() != table.header.size()) {
      throw Error(ErrorKind::data, table.where + ":" + std::to_string(line) + ": expected " +
                                       std::to_string(table.header.size()) + " cells, found " +
                                       std::to_string(cells.size()));
    }
    table.rows.push_back(std::move(cells));
    table.lines.push_back(line);
  }
  return table;
}

std::string csv_cell(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  return '"' + replace_all(std::string(text), "\"", "\"\"") + '"';
}

}  // namespace tapir
