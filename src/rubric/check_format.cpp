// How an answer is set out, begins and ends.
#include <algorithm>

#include <fmt/format.h>

#include "base/json.h"
#include "rubric/checkers.h"
#include "rubric/text_units.h"

namespace tapir::rubric {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank_character(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::size_t count_digits(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  return count;
}

// The text inside a code fence, or the whole of it.
std::string_view without_fence(std::string_view text) {
  text = strip(text);
  for (const std::string_view fence : {"```json", "```Json", "```JSON", "```"}) {
    if (text.starts_with(fence)) text.remove_prefix(fence.size());
  }
  if (text.ends_with("```")) text.remove_suffix(3);
  return strip(text);
}

// "Section 1", "SECTION2": the marker, maybe one blank, digits.
std::int64_t count_sections(std::string_view text, std::string_view marker) {
  std::int64_t count = 0;
  for (std::size_t at = text.find(marker); at != std::string_view::npos;
       at = text.find(marker, at + 1)) {
    std::string_view rest = text.substr(at + marker.size());
    if (!rest.empty() && is_blank_character(rest.front())) rest.remove_prefix(1);
    count += count_digits(rest) > 0 ? 1 : 0;
  }
  return count;
}

std::string_view without_indent(std::string_view line) {
  const std::string_view inside = strip(line);
  return inside.empty() ? inside : line.substr(line.find(inside.front()));
}

bool is_bullet(std::string_view line) {
  line = without_indent(line);
  return line.starts_with('-') || (line.size() > 1 && line[0] == '*' && line[1] != '*');
}

bool is_numbered(std::string_view line) {
  line = without_indent(line);
  const std::size_t digits = count_digits(line);
  if (digits == 0 || digits + 1 >= line.size()) return false;
  return (line[digits] == '.' || line[digits] == ')') && line[digits + 1] == ' ';
}

std::int64_t count_lines(std::string_view text, bool (*is_one)(std::string_view)) {
  std::int64_t count = 0;
  for (const std::string_view line : split_by(text, "\n")) count += is_one(line) ? 1 : 0;
  return count;
}

// What stands between two equal marks on one line, from left to right without overlaps; without
// asterisks inside, and not blank.
std::int64_t count_between(std::string_view text, std::string_view mark) {
  std::int64_t count = 0;
  std::size_t at = text.find(mark);
  while (at != std::string_view::npos) {
    const std::size_t start = at + mark.size();
    const std::size_t end = std::min(text.find_first_of("*\n", start), text.size());
    if (text.substr(end).starts_with(mark)) {
      count += is_blank(text.substr(start, end - start)) ? 0 : 1;
      at = text.find(mark, end + mark.size());
    } else {
      at = text.find(mark, at + 1);
    }
  }
  return count;
}

std::int64_t count_placeholders(std::string_view text) {
  std::int64_t count = 0;
  std::size_t at = text.find('[');
  while (at != std::string_view::npos) {
    const std::size_t end = text.find_first_of("]\n", at);
    if (end == std::string_view::npos) break;
    count += text[end] == ']' ? 1 : 0;
    at = text.find('[', end);
  }
  return count;
}

bool has_title(std::string_view line) {
  const std::size_t open = line.find("<<");
  const std::size_t close = line.rfind(">>");
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 3)
    return false;
  std::string_view title = line.substr(open, close - open);
  while (title.starts_with('<')) title.remove_prefix(1);
  while (title.ends_with('>')) title.remove_suffix(1);
  return !is_blank(title);
}

// The marker at the start of text; one blank may stand behind each of its full stops.
bool starts_with_marker(std::string_view text, std::string_view marker) {
  for (std::size_t i = 0; i < marker.size(); ++i) {
    if (i > 0 && marker[i - 1] == '.' && !text.empty() && is_blank_character(text.front()))
      text.remove_prefix(1);
    if (text.empty() || text.front() != marker[i]) return false;
    text.remove_prefix(1);
  }
  return true;
}

}  // namespace

Finding check_json(const Component&, std::string_view answer) {
  const std::string_view inside = without_fence(answer);
  if (Json::accept(inside.begin(), inside.end())) return {true, "it is JSON"};
  return {false, "it is not one JSON value"};
}

Finding check_sections(const Component& component, std::string_view answer) {
  const std::string& marker = component.values.front();
  return counted(component, count_sections(answer, marker),
                 fmt::format("sections named \"{} 1\" and so on", marker));
}

Finding check_bullets(const Component& component, std::string_view answer) {
  return counted(component, count_lines(answer, is_bullet), "bullet points");
}

Finding check_numbered(const Component& component, std::string_view answer) {
  return counted(component, count_lines(answer, is_numbered), "numbered points");
}

Finding check_highlights(const Component& component, std::string_view answer) {
  return counted(component, count_between(answer, "*") + count_between(answer, "**"),
                 "highlighted passages");
}

Finding check_title(const Component&, std::string_view answer) {
  if (count_lines(answer, has_title) > 0) return {true, "it has a title"};
  return {false, "no title in <<double angular brackets>>"};
}

Finding check_placeholders(const Component& component, std::string_view answer) {
  return counted(component, count_placeholders(answer), "placeholders in square brackets");
}

Finding check_starts_with(const Component& component, std::string_view answer) {
  const std::string wanted(strip(component.values.front()));
  if (lower(strip(answer)).starts_with(lower(wanted))) return {true, "it starts so"};
  return {false, fmt::format("it does not start with \"{}\"", wanted)};
}

Finding check_ends_with(const Component& component, std::string_view answer) {
  std::string_view text = strip(answer);
  while (text.ends_with('"')) text.remove_suffix(1);
  const std::string wanted(strip(component.values.front()));
  if (lower(text).ends_with(lower(wanted))) return {true, "it ends so"};
  return {false, fmt::format("it does not end with \"{}\"", wanted)};
}

Finding check_quotation(const Component&, std::string_view answer) {
  const std::string_view text = strip(answer);
  if (text.size() > 1 && text.front() == '"' && text.back() == '"')
    return {true, "it stands in double quotation marks"};
  return {false, "it does not stand in double quotation marks"};
}

Finding check_postscript(const Component& component, std::string_view answer) {
  const std::string text = lower(answer);
  const std::string marker = lower(strip(component.values.front()));
  for (std::size_t at = text.find(marker.front()); at != std::string::npos;
       at = text.find(marker.front(), at + 1)) {
    if (starts_with_marker(std::string_view(text).substr(at), marker))
      return {true, "it has a postscript"};
  }
  return {false, fmt::format("no postscript \"{}\"", component.values.front())};
}

}  // namespace tapir::rubric
