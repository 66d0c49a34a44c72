#include "prompting/score_text.h"

#include <charconv>
#include <cstddef>

#include "base/strings.h"

namespace tapir::prompting {

bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

std::optional<double> take_number(std::string_view& text) {
  std::size_t length = !text.empty() && text.front() == '-' ? 1 : 0;
  const std::size_t first_digit = length;
  while (length < text.size() && is_digit(text[length])) ++length;
  if (length == first_digit) return std::nullopt;
  if (length + 1 < text.size() && text[length] == '.' && is_digit(text[length + 1])) {
    ++length;
    while (length < text.size() && is_digit(text[length])) ++length;
  }
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + length, value, std::chars_format::fixed);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool take_word(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

void skip_space(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
}

std::vector<std::string_view> filled_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    if (!line.empty()) lines.push_back(line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string undressed(std::string_view line) {
  std::string text = replace_all(std::string(line), "\xEF\xBC\x9A", ":");
  text = replace_all(text, "\xEF\xBC\x88", "(");
  text = replace_all(text, "\xEF\xBC\x89", ")");
  std::string out;
  for (const char c : text) {
    if (c != '*' && c != '_' && c != '`' && c != '#' && c != '"' && c != '[' && c != ']') out += c;
  }
  std::string_view view = trim(out);
  if (view.starts_with("- ") || view.starts_with("> ")) view = trim(view.substr(2));
  return lower_ascii(view);
}

std::optional<double> tolerant_number(std::string_view text) {
  skip_space(text);
  const std::optional<double> value = take_number(text);
  if (!value) return std::nullopt;
  if (!text.empty() && is_alphanumeric(text.front()) && !text.starts_with("\xE2\x80\x94") &&
      !text.starts_with("\xE2\x80\x93")) {
    return std::nullopt;
  }
  skip_space(text);
  for (const std::string_view scale : {"/10", "/ 10", "out of 10"}) {
    std::string_view rest = text;
    if (take_word(rest, scale) && (rest.empty() || !is_alphanumeric(rest.front()))) {
      text = rest;
      break;
    }
  }
  skip_space(text);
  if (text.empty()) return value;
  for (const std::string_view mark : {"(", "-", "\xE2\x80\x94", "\xE2\x80\x93", ",", ";", "."}) {
    if (!take_word(text, mark)) continue;
    skip_space(text);
    const bool calculation = mark != "(" && !text.empty() && is_digit(text.front());
    return calculation ? std::nullopt : value;
  }
  return std::nullopt;
}

}  // namespace tapir::prompting
