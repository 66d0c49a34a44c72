// The chat formats, as data.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tapir::text {

// A turn is written `before`, the message, `after`. In these texts the control tokens of the format
// stand as such, and {bos} and {eos} are the tokenizer's own.
struct TurnFormat {
  std::string_view before;
  std::string_view after;
};

struct ChatFormatSpec {
  std::string_view name;
  std::vector<std::string_view> control_tokens;  // the tokenizer must have them
  std::string_view begin;                        // of every conversation
  TurnFormat system;
  TurnFormat user;
  std::string_view assistant_before;
  // Around the answer, learnt with it: a blank that some formats put there, and the token that ends
  // the turn.
  std::string_view answer_before;
  std::string_view answer_after;
  std::string_view answer_end;
  std::string_view assistant_after;                // not learnt
  std::optional<std::string_view> default_system;  // used when a conversation has no system message
  std::string_view
      always_system;  // stands before the system message, which is written even when empty
  bool system_inside_user = false;  // the system turn stands after the first `user.before`
  bool trims = false;               // white space around every message is taken off
  // Tell-tale texts of published templates: all of `markers`, none of `not_markers`.
  std::vector<std::string_view> markers;
  std::vector<std::string_view> not_markers;
  std::string_view jinja;
};

const std::vector<ChatFormatSpec>& chat_table();

}  // namespace tapir::text
