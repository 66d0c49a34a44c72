#include "prompting/alpaca_template.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"

namespace tapir::prompting {

std::string_view built_in_prompt(std::string_view name);  // made from prompts/ at build time

namespace {

constexpr std::string_view kBegin = "<|im_start|>";
constexpr std::string_view kEnd = "<|im_end|>";
constexpr std::array<std::string_view, 3> kSlots = {"{instruction}", "{output_1}", "{output_2}"};

// The text with each slot in it replaced by the value of the same number.
std::string filled(std::string_view text, const std::array<std::string_view, 3>& values) {
  std::string out;
  while (!text.empty()) {
    std::size_t at = std::string_view::npos;
    std::size_t which = 0;
    for (std::size_t i = 0; i < kSlots.size(); ++i) {
      const std::size_t found = text.find(kSlots[i]);
      if (found < at) {
        at = found;
        which = i;
      }
    }
    if (at == std::string_view::npos) break;
    out += text.substr(0, at);
    out += values[which];
    text.remove_prefix(at + kSlots[which].size());
  }
  return out.append(text);
}

}  // namespace

PairTemplate PairTemplate::parse(std::string_view text, const std::string& name) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorKind::data, name + ": " + what,
                "a template is made of turns, <|im_start|>system or user, their text and "
                "<|im_end|>, with {instruction}, {output_1} and {output_2} in it");
  };
  PairTemplate parsed;
  parsed.name_ = name;
  parsed.version_ = short_id({trim(text)});
  std::string_view rest = trim(text);
  while (!rest.empty()) {
    if (!rest.starts_with(kBegin)) refuse("expected <|im_start|>, found other text");
    rest.remove_prefix(kBegin.size());
    const std::size_t line = rest.find('\n');
    const std::size_t end = rest.find(kEnd);
    if (line == std::string_view::npos || end == std::string_view::npos || end < line)
      refuse("a turn has no text, or no <|im_end|>");
    parsed.turns_.push_back({parse_role(trim(rest.substr(0, line)), name),
                             std::string(rest.substr(line + 1, end - line - 1))});
    rest = trim(rest.substr(end + kEnd.size()));
  }
  if (parsed.turns_.empty()) refuse("there is no turn");
  for (const std::string_view slot : kSlots) {
    bool there = false;
    for (const Message& turn : parsed.turns_)
      there = there || turn.content.find(slot) != std::string::npos;
    if (!there) refuse(std::string(slot) + " is missing");
  }
  return parsed;
}

PairTemplate PairTemplate::built_in() { return parse(built_in_prompt("alpaca_judge"), "built in"); }

Messages PairTemplate::render(std::string_view instruction, std::string_view first,
                              std::string_view second) const {
  Messages messages;
  for (const Message& turn : turns_) {
    const std::string text = filled(turn.content, {instruction, first, second});
    messages.push_back({turn.role, std::string(trim(text))});
  }
  return messages;
}

}  // namespace tapir::prompting
