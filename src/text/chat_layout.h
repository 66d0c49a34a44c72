// What a format writes for a conversation, piece by piece: the same for tokens and for text.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "records/instruction.h"
#include "text/chat_table.h"

namespace tapir::text {

// A part of a format's own text: a control token (as the table spells it, {bos} and {eos} too), or
// plain text.
struct Piece {
  std::string text;
  bool control = false;
};
using Pieces = std::vector<Piece>;

Pieces split_pieces(const ChatFormatSpec& spec, std::string_view text);

// Takes what a format writes, in order.
class ChatSink {
 public:
  virtual ~ChatSink() = default;
  virtual void control(std::string_view token, bool loss) = 0;
  virtual void text(std::string_view text, bool loss) = 0;
  virtual void boundary() = 0;  // no token crosses this place
};

// In what a model's own template may differ from the row of the table.
struct ChatVariant {
  std::optional<std::string> default_system;  // for conversations without a system message
  bool bos = false;                           // a begin-of-text token before the conversation
  bool end = false;                           // what the row has behind the last answer
  bool system = true;                         // false: there is no place for a system message
  bool operator==(const ChatVariant&) const = default;
};
ChatVariant variant_of(const ChatFormatSpec& spec);  // the row as it stands

// Immutable; thread-safe.
class ChatLayout {
 public:
  ChatLayout(const ChatFormatSpec& spec, ChatVariant variant);

  const ChatFormatSpec& spec() const { return spec_; }
  const ChatVariant& variant() const { return variant_; }

  // Error{data} beginning with `where`: no message, a role or an order that the format does not
  // know.
  void check(const std::vector<Segment>& segments, const std::string& where) const;
  // REQUIRES: check() passed. add_generation_prompt: up to where the assistant begins to answer.
  void write(const std::vector<Segment>& segments, bool add_generation_prompt, ChatSink& out) const;

 private:
  struct Turn {
    Pieces before;
    Pieces after;
  };
  // What of a conversation concerns more than one message.
  struct Context {
    const Segment* system = nullptr;
    std::size_t system_turn = 0;  // index of the user message that the system message stands in
    std::size_t asked = 0;        // index of the last question
    std::size_t last = 0;         // index of the last message
  };
  Turn compile(const TurnFormat& turn) const;
  Context look_at(const std::vector<Segment>& segments) const;
  void write_system(std::string_view content, bool loss, ChatSink& out) const;
  void write_user(const Segment& segment, const Segment* system, ChatSink& out) const;
  void write_answer(const Segment& segment, std::size_t index, const Context& context,
                    ChatSink& out) const;
  void write_tool(const std::vector<Segment>& segments, std::size_t index, ChatSink& out) const;

  const ChatFormatSpec& spec_;
  ChatVariant variant_;
  Pieces begin_;
  Turn system_;
  Turn user_;
  Turn tool_;
  Turn tools_;
  Pieces assistant_before_;
  Pieces answer_end_;
  Pieces assistant_after_;
  Pieces end_;
};

// The rendered conversation, as Jinja would give it: control tokens spelled out, {bos} and {eos} as
// given.
std::string render_text(const ChatLayout& layout, const Messages& messages,
                        bool add_generation_prompt, std::string_view bos, std::string_view eos);

// Where an answer goes on behind the <think> block that it begins with: 0 when it has none; nothing
// when the block, or its first tag, is not complete.
std::optional<std::size_t> reasoning_end(std::string_view answer);

}  // namespace tapir::text
