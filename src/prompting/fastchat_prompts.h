// Judge prompts as FastChat keeps them (judge_prompts.jsonl): one object a line with "name",
// "type", "system_prompt" and "prompt_template", a text with slots in single braces as Python's
// str.format has them.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "records/message.h"

namespace tapir::prompting {

// Immutable; thread-safe.
class FastChatPrompts {
 public:
  // Error{data} "file:line": not such a row, a name that stands twice, braces that do not match.
  static FastChatPrompts load(const std::filesystem::path& file);

  // Slots are filled in one pass: braces inside a payload stay text. A payload that the template
  // has no slot for is left out. Error{data}: no template of that name, or one of its slots has no
  // payload.
  using Payloads = std::initializer_list<std::pair<std::string_view, std::string_view>>;
  Messages render(std::string_view name, Payloads payloads) const;

 private:
  struct Piece {
    std::string text;  // a literal, or the name of a slot
    bool is_slot = false;
  };
  struct Template {
    std::string system;
    std::vector<Piece> user;
  };
  static std::vector<Piece> split_template(std::string_view text, std::string_view where);

  std::string file_;
  std::map<std::string, Template, std::less<>> templates_;
};

}  // namespace tapir::prompting
