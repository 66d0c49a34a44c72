#include "gym/families/columns.h"

#include <algorithm>

#include "gym/families/scan.h"

namespace tapir::gym {
namespace {

char digit_char(int value) { return static_cast<char>('0' + value); }

bool well_formed(int base, std::string_view digits) {
  if (digits.empty() || digits.size() > static_cast<std::size_t>(kLevelsBeyond)) return false;
  if (digits.size() > 1 && digits.front() == '0') return false;
  return std::all_of(digits.begin(), digits.end(), [&](char c) { return c - '0' < base; });
}

// a, b, c, ... from the last digit; capitals in the second number.
char column_name(char first, std::size_t digits, std::size_t place) {
  return static_cast<char>(first + (digits - 1 - place));
}

std::string named_digits(char first, std::string_view digits) {
  std::string out;
  for (std::size_t place = 0; place < digits.size(); ++place) {
    out += {column_name(first, digits.size(), place), digits[place]};
  }
  return out;
}

std::string two_digits(int value, int base) {
  return {digit_char(value / base), digit_char(value % base)};
}

// value: the carry, then the digits of the sum so far.
std::string column_step(const Columns& columns, std::size_t i, const std::string& value) {
  const std::size_t place = columns.x.size() - 1 - i;
  const int sum = columns.x[place] - '0' + columns.y[place] - '0' + value[0] - '0';
  const std::size_t digits = columns.x.size();
  std::string text{column_name('a', digits, place),
                   columns.x[place],
                   '+',
                   column_name('A', digits, place),
                   columns.y[place],
                   '+',
                   value[0],
                   '='};
  text += two_digits(sum, 10);
  if (columns.base != 10) text += ":" + two_digits(sum, columns.base);
  return text;
}

std::optional<std::string> column_value(std::string_view text, const std::string& value) {
  if (text.size() < 2 || !all_digits(text.substr(text.size() - 2))) return std::nullopt;
  return std::string(text.substr(text.size() - 2)) + value.substr(1);
}

}  // namespace

Columns draw_columns(int base, int digits, RandomStream& stream) {
  const auto number = [&] {
    std::string out;
    for (int i = 0; i < digits; ++i) {
      out += digit_char(stream.between(i == 0 && digits > 1 ? 1 : 0, base - 1));
    }
    return out;
  };
  Columns columns{base, number(), ""};
  columns.y = number();
  return columns;
}

std::string render_columns(const Columns& columns) {
  return named_digits('a', columns.x) + "+" + named_digits('A', columns.y);
}

std::optional<Columns> read_columns(int base, std::string_view text) {
  Columns columns{base, "", ""};
  std::string* number = &columns.x;
  for (const char c : text) {
    if (is_digit(c)) *number += c;
    if (c == '+') number = &columns.y;
  }
  if (columns.x.size() != columns.y.size()) return std::nullopt;
  if (!well_formed(base, columns.x) || !well_formed(base, columns.y)) return std::nullopt;
  if (render_columns(columns) != text) return std::nullopt;
  return columns;
}

std::string canonical_columns(const Columns& columns) {
  return std::min(columns.x, columns.y) + "+" + std::max(columns.x, columns.y);
}

Chain chain_of(const Columns& columns) {
  Chain chain;
  chain.count = columns.x.size();
  chain.start = "0";
  chain.separator = ';';
  chain.step = [columns](std::size_t i, const std::string& value) {
    return column_step(columns, i, value);
  };
  chain.handed_on = column_value;
  chain.result = [](const std::string& value) { return value[0] == '0' ? value.substr(1) : value; };
  chain.is_result = all_digits;
  chain.partial = digits_from_right;
  return chain;
}

}  // namespace tapir::gym
