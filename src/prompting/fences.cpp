// Escape rule: inside a payload every tag that could be taken for a fence, `<instruction>` or
// `</task>`, gets a backslash after its `<`; one that has backslashes there already gets one more.
// Reading takes one away again, so that what comes out is what went in, byte by byte.
#include <array>
#include <cstddef>

#include "base/strings.h"
#include "prompting/prompts.h"

namespace tapir::prompting {
namespace {

constexpr std::array<std::string_view, 11> kFences = {
    "instruction",  "answer_a",         "answer_b",   "last_reply",       "complaint",     "task",
    "answer_style", "task_description", "task_types", "seed_instruction", "current_answer"};

bool names_fence(std::string_view word, std::string_view also) {
  const std::string lower = lower_ascii(word);
  if (lower == lower_ascii(also)) return true;
  for (const std::string_view fence : kFences) {
    if (lower == fence) return true;
  }
  return false;
}

// A tag of a fence that starts at text[0] == '<', with its backslashes: their number; nothing when
// it is none.
struct Tag {
  std::size_t backslashes = 0;
  std::size_t length = 0;
};
std::optional<Tag> read_tag(std::string_view text, std::string_view also) {
  Tag tag;
  std::size_t at = 1;
  while (at < text.size() && text[at] == '\\') ++at;
  tag.backslashes = at - 1;
  if (at < text.size() && text[at] == '/') ++at;
  // No fence has a longer name; the bound keeps the search linear.
  const std::size_t end = text.substr(at, 64).find('>');
  if (end == std::string_view::npos || !names_fence(text.substr(at, end), also))
    return std::nullopt;
  tag.length = at + end + 1;
  return tag;
}

template <typename Rewrite>
std::string rewrite_tags(std::string_view payload, std::string_view also, Rewrite rewrite) {
  std::string out;
  out.reserve(payload.size());
  while (true) {
    const std::size_t start = payload.find('<');
    out += payload.substr(0, start);
    if (start == std::string_view::npos) return out;
    payload.remove_prefix(start);
    const std::optional<Tag> tag = read_tag(payload, also);
    const std::size_t length = tag ? tag->length : 1;
    if (tag) {
      out += rewrite(*tag, payload.substr(0, length));
    } else {
      out += '<';
    }
    payload.remove_prefix(length);
  }
}

std::string escape(std::string_view payload, std::string_view name) {
  return rewrite_tags(payload, name, [](const Tag&, std::string_view text) {
    return std::string("<\\").append(text.substr(1));
  });
}

std::string unescape(std::string_view payload, std::string_view name) {
  return rewrite_tags(payload, name, [](const Tag& tag, std::string_view text) {
    return std::string("<").append(text.substr(tag.backslashes > 0 ? 2 : 1));
  });
}

}  // namespace

std::string fenced(std::string_view name, std::string_view payload) {
  const std::string tag(name);
  return join({"<", tag, ">\n", escape(payload, name), "\n</", tag, ">"}, "");
}

std::optional<std::string> read_fence(std::string_view text, std::string_view name) {
  const std::string open = std::string("<").append(name).append(">\n");
  const std::string close = std::string("\n</").append(name).append(">");
  // Only at the start of a line: prose may speak of a tag.
  std::size_t start = 0;
  while ((start = text.find(open, start)) != std::string_view::npos) {
    if (start == 0 || text[start - 1] == '\n') break;
    ++start;
  }
  if (start == std::string_view::npos) return std::nullopt;
  const std::string_view body = text.substr(start + open.size());
  const std::size_t end = body.find(close);
  if (end == std::string_view::npos) return std::nullopt;
  return unescape(body.substr(0, end), name);
}

}  // namespace tapir::prompting
