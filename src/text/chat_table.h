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

enum class SystemPlace {
  own_turn,    // before the conversation
  first_user,  // inside the first user turn
  last_user,   // inside the last user turn: where the answer that is asked for can see it
  refused,     // the format has no place for it
};

// Of which messages the white space at both ends is taken off.
struct TrimRules {
  bool system = false;
  bool user = false;  // after the system message was put into the turn, where that is its place
  bool user_alone = false;  // before
  bool answer = false;
};

struct ChatFormatSpec {
  std::string_view name;
  std::string_view models;                       // that were published with it
  std::vector<std::string_view> control_tokens;  // the tokenizer must have them
  std::string_view begin;                        // of every conversation: {bos} or nothing
  TurnFormat system;
  TurnFormat user;
  std::optional<TurnFormat> tool;  // of one message; nothing: the format has no tool messages
  TurnFormat tools;                // around those that follow each other
  std::string_view assistant_before;
  // Around the answer, learnt with it: a blank that some formats put there, and the token that ends
  // the turn.
  std::string_view answer_before;
  std::string_view answer_after;
  std::string_view answer_end;
  std::string_view assistant_after;                // not learnt
  std::string_view end;                            // of a conversation that ends with an answer
  std::optional<std::string_view> default_system;  // used when a conversation has no system message
  std::string_view
      always_system;  // stands before the system message, which is written even when empty
  SystemPlace system_place = SystemPlace::own_turn;
  bool skips_empty_system = false;
  bool alternates = false;  // user and assistant must take turns, the user first
  bool thinks = false;  // reasoning in <think>: kept in the last answer, taken out of earlier ones
  TrimRules trims;
  std::string jinja;  // renders the same
};

const std::vector<ChatFormatSpec>& chat_table();

}  // namespace tapir::text
