#include "text/chat_layout.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "text/white_space.h"

namespace tapir::text {
namespace {

std::string_view strip_newlines_left(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of('\n'), text.size()));
}

std::string_view strip_newlines(std::string_view text) {
  text = strip_newlines_left(text);
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

constexpr std::string_view kThink = "<think>";
constexpr std::string_view kThinkEnd = "</think>";

std::string_view reasoning_of(std::string_view answer) {
  const std::size_t end = answer.find(kThinkEnd);
  if (end == answer.npos) return {};
  std::string_view thought = answer.substr(0, end);
  const std::size_t begin = thought.rfind(kThink);
  if (begin != thought.npos) thought.remove_prefix(begin + kThink.size());
  return strip_newlines(thought);
}

std::string_view without_reasoning(std::string_view answer) {
  const std::size_t end = answer.rfind(kThinkEnd);
  if (end == answer.npos) return answer;
  return strip_newlines_left(answer.substr(end + kThinkEnd.size()));
}

class TextSink final : public ChatSink {
 public:
  TextSink(std::string_view bos, std::string_view eos) : bos_(bos), eos_(eos) {}
  void control(std::string_view token, bool) override {
    text_ += token == "{bos}" ? bos_ : token == "{eos}" ? eos_ : token;
  }
  void text(std::string_view text, bool) override { text_ += text; }
  void boundary() override {}
  std::string take() { return std::move(text_); }

 private:
  std::string_view bos_;
  std::string_view eos_;
  std::string text_;
};

void put(const Pieces& pieces, bool loss, ChatSink& out) {
  for (const Piece& piece : pieces) {
    piece.control ? out.control(piece.text, loss) : out.text(piece.text, loss);
  }
}

bool is_tool_response(std::string_view text) {
  return text.starts_with("<tool_response>") && text.ends_with("</tool_response>");
}

}  // namespace

std::optional<std::size_t> reasoning_end(std::string_view answer) {
  const std::string_view text = strip_space_left(answer);
  if (text.size() < kThink.size() && kThink.starts_with(text)) return std::nullopt;
  if (!text.starts_with(kThink)) return 0;
  const std::size_t end = answer.find(kThinkEnd);
  if (end == answer.npos) return std::nullopt;
  return answer.size() - strip_newlines_left(answer.substr(end + kThinkEnd.size())).size();
}

Pieces split_pieces(const ChatFormatSpec& spec, std::string_view text) {
  std::vector<std::string_view> controls = spec.control_tokens;
  controls.insert(controls.end(), {"{bos}", "{eos}"});
  Pieces pieces;
  while (!text.empty()) {
    const auto found = std::find_if(controls.begin(), controls.end(), [&](std::string_view token) {
      return text.starts_with(token);
    });
    if (found != controls.end()) {
      pieces.push_back({std::string(*found), /*control=*/true});
      text.remove_prefix(found->size());
      continue;
    }
    if (pieces.empty() || pieces.back().control) pieces.emplace_back();
    pieces.back().text += text.front();
    text.remove_prefix(1);
  }
  return pieces;
}

ChatVariant variant_of(const ChatFormatSpec& spec) {
  ChatVariant variant;
  if (spec.default_system) variant.default_system = std::string(*spec.default_system);
  variant.bos = spec.begin == "{bos}";
  variant.end = !spec.end.empty();
  variant.system = spec.system_place != SystemPlace::refused;
  return variant;
}

ChatLayout::ChatLayout(const ChatFormatSpec& spec, ChatVariant variant)
    : spec_(spec),
      variant_(std::move(variant)),
      begin_(split_pieces(spec, variant_.bos ? "{bos}" : "")),
      system_(compile(spec.system)),
      user_(compile(spec.user)),
      tool_(compile(spec.tool.value_or(TurnFormat()))),
      tools_(compile(spec.tools)),
      assistant_before_(split_pieces(spec, spec.assistant_before)),
      answer_end_(split_pieces(spec, spec.answer_end)),
      assistant_after_(split_pieces(spec, spec.assistant_after)),
      end_(split_pieces(spec, variant_.end ? spec.end : "")) {}

ChatLayout::Turn ChatLayout::compile(const TurnFormat& turn) const {
  return {split_pieces(spec_, turn.before), split_pieces(spec_, turn.after)};
}

void ChatLayout::check(const std::vector<Segment>& segments, const std::string& where) const {
  const auto fail = [&](const std::string& what, const std::string& hint = {}) {
    throw Error(ErrorKind::data, where + ": chat format " + std::string(spec_.name) + ": " + what,
                hint);
  };
  if (segments.empty()) fail("the conversation has no message");
  const bool has_system = segments.front().role == Role::system;
  if (has_system && !variant_.system) {
    fail("there is no place for a system message",
         "put its text into the first user message, or leave it out");
  }
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Role role = segments[i].role;
    if (role == Role::tool && !spec_.tool) fail("messages with the role tool are not supported");
    if (role == Role::system && i > 0) fail("the system message must come first");
    const std::size_t turn = i - (has_system ? 1 : 0);
    if (!spec_.alternates || role == Role::system) continue;
    if ((role == Role::user) != (turn % 2 == 0)) {
      fail("user and assistant must take turns, the user first; message " + std::to_string(i + 1) +
           " is the " + std::string(to_string(role)) + "'s");
    }
  }
  if (!has_system || spec_.system_place == SystemPlace::own_turn) return;
  if (segments.size() < 2 || segments[1].role != Role::user) {
    fail("a user message must follow the system message");
  }
}

ChatLayout::Context ChatLayout::look_at(const std::vector<Segment>& segments) const {
  Context context;
  if (segments.front().role == Role::system) context.system = &segments.front();
  context.last = segments.size() - 1;
  context.asked = context.last;
  bool first = true;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (segments[i].role != Role::user) continue;
    if (first || spec_.system_place == SystemPlace::last_user) context.system_turn = i;
    first = false;
    if (!is_tool_response(segments[i].text)) context.asked = i;
  }
  return context;
}

void ChatLayout::write_system(std::string_view content, bool loss, ChatSink& out) const {
  put(system_.before, /*loss=*/false, out);
  out.text(spec_.always_system, /*loss=*/false);
  out.text(spec_.trims.system ? strip_space(content) : content, loss);
  put(system_.after, /*loss=*/false, out);
}

// system: to be written inside this turn, or none.
void ChatLayout::write_user(const Segment& segment, const Segment* system, ChatSink& out) const {
  put(user_.before, /*loss=*/false, out);
  std::string_view content = segment.text;
  if (system != nullptr) write_system(system->text, system->loss, out);
  if (spec_.trims.user_alone) content = strip_space(content);
  // With the system message before it, only the end of the message is an end of the turn.
  if (spec_.trims.user)
    content = system != nullptr ? strip_space_right(content) : strip_space(content);
  out.text(content, segment.loss);
  put(user_.after, /*loss=*/false, out);
}

void ChatLayout::write_answer(const Segment& segment, std::size_t index, const Context& context,
                              ChatSink& out) const {
  const bool loss = segment.loss;
  put(assistant_before_, /*loss=*/false, out);
  out.boundary();  // the prompt's tokens are the same with and without the answer
  out.text(spec_.answer_before, loss);
  std::string_view content = spec_.trims.answer ? strip_space(segment.text) : segment.text;
  if (spec_.thinks) {
    const std::string_view thought = reasoning_of(content);
    content = without_reasoning(content);
    if (index > context.asked && (index == context.last || !thought.empty())) {
      out.text("<think>\n", loss);
      out.text(thought, loss);
      out.text("\n</think>\n\n", loss);
      content = strip_newlines_left(content);
    }
  }
  out.text(content, loss);
  out.text(spec_.answer_after, loss);
  put(answer_end_, loss, out);
  put(assistant_after_, /*loss=*/false, out);
}

void ChatLayout::write_tool(const std::vector<Segment>& segments, std::size_t index,
                            ChatSink& out) const {
  const auto is_tool = [&](std::size_t i) {
    return i < segments.size() && segments[i].role == Role::tool;
  };
  if (index == 0 || !is_tool(index - 1)) put(tools_.before, /*loss=*/false, out);
  put(tool_.before, /*loss=*/false, out);
  out.text(segments[index].text, segments[index].loss);
  put(tool_.after, /*loss=*/false, out);
  if (!is_tool(index + 1)) put(tools_.after, /*loss=*/false, out);
}

void ChatLayout::write(const std::vector<Segment>& segments, bool add_generation_prompt,
                       ChatSink& out) const {
  const Context context = look_at(segments);
  put(begin_, /*loss=*/false, out);
  const bool own_turn = spec_.system_place == SystemPlace::own_turn;
  if (context.system != nullptr && own_turn) {
    if (!spec_.skips_empty_system || !context.system->text.empty())
      write_system(context.system->text, context.system->loss, out);
  } else if (context.system == nullptr && variant_.default_system) {
    write_system(*variant_.default_system, /*loss=*/false, out);
  }
  for (std::size_t i = 0; i < segments.size(); ++i) {
    switch (segments[i].role) {
      case Role::system:
        break;
      case Role::user:
        write_user(segments[i], !own_turn && i == context.system_turn ? context.system : nullptr,
                   out);
        break;
      case Role::assistant:
        write_answer(segments[i], i, context, out);
        break;
      case Role::tool:
        write_tool(segments, i, out);
        break;
    }
  }
  put(add_generation_prompt ? assistant_before_ : end_, /*loss=*/false, out);
}

std::string render_text(const ChatLayout& layout, const Messages& messages,
                        bool add_generation_prompt, std::string_view bos, std::string_view eos) {
  const std::vector<Segment> segments = segments_of(messages);
  layout.check(segments, "conversation");
  TextSink sink(bos, eos);
  layout.write(segments, add_generation_prompt, sink);
  return sink.take();
}

}  // namespace tapir::text
