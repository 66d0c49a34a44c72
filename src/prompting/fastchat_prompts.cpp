#include "prompting/fastchat_prompts.h"

#include <functional>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"

namespace tapir::prompting {

// Literals and {slots}; {{ and }} are braces.
std::vector<FastChatPrompts::Piece> FastChatPrompts::split_template(std::string_view text,
                                                                    std::string_view where) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorKind::data, std::string(where) + ": key \"prompt_template\": " + what,
                "slots are written {question}, braces of the text {{ and }}");
  };
  std::vector<Piece> pieces = {{}};
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != '{' && c != '}') {
      pieces.back().text += c;
      continue;
    }
    if (at + 1 < text.size() && text[at + 1] == c) {
      pieces.back().text += c;
      ++at;
      continue;
    }
    if (c == '}') refuse("\"}\" without \"{\"");
    const std::size_t end = text.find('}', at);
    if (end == std::string_view::npos) refuse("\"{\" without \"}\"");
    const std::string_view name = text.substr(at + 1, end - at - 1);
    const bool plain =
        !name.empty() &&
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789") == std::string_view::npos;
    if (!plain) refuse("\"{" + valid_utf8(name.substr(0, 40)) + "}\" is no name of a slot");
    pieces.push_back({std::string(name), /*is_slot=*/true});
    pieces.push_back({});
    at = end;
  }
  return pieces;
}

FastChatPrompts FastChatPrompts::load(const std::filesystem::path& file) {
  FastChatPrompts prompts;
  prompts.file_ = file.string();
  for_each_jsonl(file, [&](const Json& row, const std::string& where) {
    const auto name = json_get<std::string>(row, "name", where);
    Template made{json_get_or<std::string>(row, "system_prompt", "", where),
                  split_template(json_get<std::string>(row, "prompt_template", where), where)};
    if (!prompts.templates_.emplace(name, std::move(made)).second)
      throw Error(ErrorKind::data, where + ": the template " + name + " came before");
  });
  return prompts;
}

Messages FastChatPrompts::render(std::string_view name, Payloads payloads) const {
  const auto found = templates_.find(name);
  if (found == templates_.end()) {
    std::vector<std::string> known;
    for (const auto& [one, text] : templates_) known.push_back(one);
    throw Error(ErrorKind::data, file_ + ": there is no template " + std::string(name),
                known.empty() ? "the file has none" : "it has " + join(known, ", "));
  }
  std::string user;
  for (const Piece& piece : found->second.user) {
    const std::string* text = &piece.text;
    std::string payload;
    if (piece.is_slot) {
      bool given = false;
      for (const auto& [slot, value] : payloads) {
        if (slot != piece.text) continue;
        payload = value;
        given = true;
      }
      if (!given) {
        throw Error(ErrorKind::data, file_ + ": template " + std::string(name) +
                                         ": nothing belongs into the slot {" + piece.text + "}");
      }
      text = &payload;
    }
    user += *text;
  }
  Messages messages;
  if (!found->second.system.empty()) messages.push_back({Role::system, found->second.system});
  messages.push_back({Role::user, std::move(user)});
  return messages;
}

}  // namespace tapir::prompting
