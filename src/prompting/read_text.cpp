// Readers of the teacher's replies: a new instruction, an answer, a label.
#include <array>
#include <cstddef>

#include "base/strings.h"
#include "prompting/prompts.h"

namespace tapir::prompting {
namespace {

// ```\n...\n``` around the whole text, with or without a language that means text.
std::string_view without_code_fence(std::string_view text) {
  if (!text.starts_with("```") || !text.ends_with("```") || text.size() < 7) return text;
  const std::size_t line_end = text.find('\n');
  if (line_end == std::string_view::npos || line_end + 3 > text.size() - 3) return text;
  const std::string language = lower_ascii(trim(text.substr(3, line_end - 3)));
  if (!language.empty() && language != "text" && language != "markdown" && language != "plaintext")
    return text;
  const std::string_view inside = text.substr(line_end + 1, text.size() - 3 - line_end - 1);
  return inside.find("```") == std::string_view::npos ? trim(inside) : text;
}

// <instruction>...</instruction> around the whole text, whatever the tag is called.
std::string_view without_tag(std::string_view text) {
  for (const std::string_view tag :
       {"new_instruction", "instruction", "seed_instruction", "prompt", "answer"}) {
    const std::string open = std::string("<").append(tag).append(">");
    const std::string close = std::string("</").append(tag).append(">");
    if (text.size() >= open.size() + close.size() && text.starts_with(open) &&
        text.ends_with(close)) {
      return trim(text.substr(open.size(), text.size() - open.size() - close.size()));
    }
  }
  return text;
}

// What a model that thinks aloud says before its answer; nothing where the thinking does not end.
std::optional<std::string_view> without_thoughts(std::string_view text) {
  constexpr std::string_view kOpen = "<think>";
  constexpr std::string_view kClose = "</think>";
  if (!text.starts_with(kOpen)) return text;
  const std::size_t end = text.find(kClose);
  if (end == std::string_view::npos) return std::nullopt;
  return trim(text.substr(end + kClose.size()));
}

// "New instruction:", "**Instruction**:", "### New Instruction", "Here is a new instruction:" at
// the start.
std::string_view without_heading(std::string_view text) {
  const std::size_t line_end = text.find('\n');
  const std::string_view line = text.substr(0, line_end);
  const std::size_t colon = line.find(':');
  const bool own_line = line_end != std::string_view::npos && trim(line).starts_with("#");
  if (colon == std::string_view::npos && !own_line) return text;
  std::string heading;
  for (const char c : lower_ascii(line.substr(0, colon))) {
    if (c != '*' && c != '#' && c != '_') heading += c;
  }
  const std::string name(trim(heading));
  constexpr std::array<std::string_view, 5> kHeadings = {"new instruction", "brand-new instruction",
                                                         "instruction", "the new instruction",
                                                         "new prompt"};
  bool known =
      name.starts_with("here is ") || name.starts_with("here's ") || name.starts_with("sure");
  known = known && name.ends_with("instruction");
  for (const std::string_view one : kHeadings) known = known || name == one;
  if (!known) return text;
  std::string_view rest = text.substr(colon == std::string_view::npos ? line_end : colon + 1);
  while (rest.starts_with("*")) rest.remove_prefix(1);
  return trim(rest);
}

std::string_view without_quotes(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kQuotes = {
      {{"\"", "\""}, {"\xE2\x80\x9C", "\xE2\x80\x9D"}}};
  for (const auto& [open, close] : kQuotes) {
    if (text.size() <= open.size() + close.size() || !text.starts_with(open) ||
        !text.ends_with(close))
      continue;
    const std::string_view inside =
        text.substr(open.size(), text.size() - open.size() - close.size());
    if (inside.find(open) == std::string_view::npos &&
        inside.find(close) == std::string_view::npos) {
      return trim(inside);
    }
  }
  return text;
}

// The model speaks of itself or declines: such a reply is no instruction.
bool is_refusal(std::string_view text) {
  std::string start = lower_ascii(text.substr(0, 60));
  start = replace_all(start, "\xE2\x80\x99", "'");
  for (const std::string_view one :
       {"i'm sorry, but", "i am sorry, but", "sorry, but i", "as an ai language model", "i cannot ",
        "i can't ", "i'm unable to", "i am unable to"}) {
    if (start.starts_with(one)) return true;
  }
  return false;
}

// For comparing labels: letters and digits only, in lower case.
std::string folded(std::string_view label) {
  std::string out;
  for (const char c : lower_ascii(label)) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      (static_cast<unsigned char>(c) & 0x80) != 0;
    if (kept) out += c;
  }
  return out;
}

// Without bold, quotation marks and the like around it.
std::string_view without_marks(std::string_view text) {
  constexpr std::string_view kMarks = "*_`\"' \t\r\n";
  const std::size_t first = text.find_first_not_of(kMarks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kMarks) - first + 1);
}

// What stands between the last <answer> and its </answer>.
std::optional<std::string_view> last_answer_tag(std::string_view reply, const std::string& lower) {
  constexpr std::string_view kOpen = "<answer>";
  const std::size_t open = lower.rfind(kOpen);
  if (open == std::string::npos) return std::nullopt;
  const std::size_t start = open + kOpen.size();
  const std::size_t close = lower.find("</answer>", start);
  if (close == std::string::npos) return std::nullopt;
  return trim(reply.substr(start, close - start));
}

}  // namespace

ReadText read_expansion(std::string_view reply) {
  const std::optional<std::string_view> said = without_thoughts(trim(reply));
  if (!said) return {{}, "unreadable"};
  std::string_view text = *said;
  // Dress comes in layers, at most a few.
  for (int layer = 0; layer < 4; ++layer) {
    const std::string_view before = text;
    text = without_quotes(without_heading(without_tag(without_code_fence(text))));
    if (text == before) break;
  }
  if (text.empty()) return {{}, "empty"};
  if (is_refusal(text)) return {{}, "refusal"};
  return {std::string(text), {}};
}

ReadText read_answer(std::string_view reply) {
  const std::string_view text = trim(reply);
  if (text.empty()) return {{}, "empty"};
  return {std::string(text), {}};
}

ReadText read_label(std::string_view reply, const std::vector<std::string>& labels) {
  const std::optional<std::string_view> tagged = last_answer_tag(reply, lower_ascii(reply));
  const std::string_view given = tagged ? *tagged : trim(reply);
  if (trim(reply).empty()) return {{}, "empty"};
  for (const std::string& label : labels) {
    if (label == without_marks(given)) return {label, {}};
  }
  // Else by its letters and digits, where they are those of one label only ("C", "C++").
  const std::string wanted = folded(given);
  const std::string* found = nullptr;
  int alike = 0;
  for (const std::string& label : labels) {
    if (wanted.empty() || folded(label) != wanted) continue;
    found = &label;
    ++alike;
  }
  if (alike == 1) return {*found, {}};
  return {{}, tagged ? "unknown_label" : "unreadable"};
}

}  // namespace tapir::prompting
