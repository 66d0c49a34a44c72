// Reads a judge's verdicts on requirements by their names. Strict first: one line "name: met" or
// "name: not met" for each at the end, as the prompt asks for. Then tolerant of dress: bold,
// bullets, "yes" and "no", a remark behind the verdict, text after the lines.
#include <cstddef>
#include <utility>

#include "base/strings.h"
#include "prompting/prompts.h"
#include "prompting/score_text.h"

namespace tapir::prompting {
namespace {

using Names = std::vector<std::string>;

struct Line {
  std::string name;
  bool met = false;
};

// The name at the start of the line; the longest where one begins with another.
std::string name_at_start(std::string_view line, const Names& names) {
  std::string found;
  for (const std::string& name : names) {
    if (line.starts_with(name) && name.size() > found.size()) found = name;
  }
  return found;
}

std::optional<Line> strict_line(std::string_view line, const Names& names) {
  const std::string name = name_at_start(line, names);
  if (name.empty()) return std::nullopt;
  line.remove_prefix(name.size());
  if (!take_word(line, ":")) return std::nullopt;
  const std::string_view verdict = trim(line);
  if (verdict == "met") return Line{name, true};
  if (verdict == "not met") return Line{name, false};
  return std::nullopt;
}

// Nothing, or something that is set off; not a sentence that only begins like a verdict ("no
// answer is given").
bool is_remark(std::string_view text) {
  if (text.empty()) return true;
  const bool blank = text.front() == ' ';
  skip_space(text);
  for (const std::string_view mark : {"(", "-", "\xE2\x80\x93", "\xE2\x80\x94"}) {
    if (blank && text.starts_with(mark)) return true;
  }
  return !blank && std::string_view(".,;:").find(text.front()) != std::string_view::npos;
}

std::optional<Line> tolerant_line(std::string_view written, const Names& names) {
  std::string plain = replace_all(replace_all(std::string(written), "*", ""), "`", "");
  std::string_view line = trim(plain);
  for (const std::string_view bullet : {"- ", "\xE2\x80\xA2 ", "> "}) {
    if (take_word(line, bullet)) line = trim(line);
  }
  const std::string name = name_at_start(line, names);
  if (name.empty()) return std::nullopt;
  line.remove_prefix(name.size());
  skip_space(line);
  if (!take_word(line, ":") && !take_word(line, "=") && !take_word(line, "-")) return std::nullopt;
  const std::string verdict = lower_ascii(trim(line));
  for (const auto& [word, met] : {std::pair<std::string_view, bool>{"not met", false},
                                  {"unmet", false},
                                  {"met", true},
                                  {"yes", true},
                                  {"no", false}}) {
    std::string_view rest = verdict;
    if (take_word(rest, word) && is_remark(rest)) return Line{name, met};
  }
  return std::nullopt;
}

ComponentVerdicts unreadable() { return {{}, "unreadable", false}; }

// The last lines, one for each name.
ComponentVerdicts read_strict(const std::vector<std::string_view>& lines, const Names& names) {
  if (lines.size() < names.size()) return unreadable();
  ComponentVerdicts read;
  for (std::size_t i = lines.size() - names.size(); i < lines.size(); ++i) {
    const auto line = strict_line(lines[i], names);
    if (!line || !read.met.emplace(line->name, line->met).second) return unreadable();
  }
  return read;
}

// Wherever they stand; a name with two different verdicts has none.
ComponentVerdicts read_tolerant(const std::vector<std::string_view>& lines, const Names& names) {
  ComponentVerdicts read;
  read.dressed = true;
  for (const std::string_view text : lines) {
    const auto line = tolerant_line(text.substr(0, kLongestScoreLine), names);
    if (!line) continue;
    const auto [place, fresh] = read.met.emplace(line->name, line->met);
    if (!fresh && place->second != line->met) return unreadable();
  }
  return read.met.size() == names.size() ? read : unreadable();
}

}  // namespace

ComponentVerdicts read_component_verdicts(std::string_view reply, const Names& names) {
  const std::vector<std::string_view> lines = filled_lines(reply);
  const ComponentVerdicts strict = read_strict(lines, names);
  return strict.ok() ? strict : read_tolerant(lines, names);
}

}  // namespace tapir::prompting
