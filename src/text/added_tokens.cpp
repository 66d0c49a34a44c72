#include "text/added_tokens.h"

#include <algorithm>
#include <utility>

#include <unicode/uchar.h>
#include <unicode/utf8.h>

namespace tapir::text {
namespace {

UChar32 last_character(std::string_view text, std::size_t& begin) {
  UChar32 c = 0;
  auto at = static_cast<std::int32_t>(text.size());
  U8_PREV(text.data(), 0, at, c);
  begin = static_cast<std::size_t>(at);
  return c;
}

UChar32 first_character(std::string_view text, std::size_t& end) {
  UChar32 c = 0;
  std::int32_t at = 0;
  U8_NEXT(text.data(), at, static_cast<std::int32_t>(text.size()), c);
  end = static_cast<std::size_t>(at);
  return c;
}

// \w of Unicode's regular expressions (UTS 18).
bool is_word(UChar32 c) {
  const auto type = u_charType(c);
  return u_isUAlphabetic(c) || type == U_NON_SPACING_MARK || type == U_ENCLOSING_MARK ||
         type == U_COMBINING_SPACING_MARK || type == U_DECIMAL_DIGIT_NUMBER ||
         type == U_CONNECTOR_PUNCTUATION || c == 0x200C || c == 0x200D;
}

bool ends_with_word(std::string_view text) {
  std::size_t at = 0;
  return !text.empty() && is_word(last_character(text, at));
}

bool starts_with_word(std::string_view text) {
  std::size_t at = 0;
  return !text.empty() && is_word(first_character(text, at));
}

std::size_t without_space_at_end(std::string_view text) {
  std::size_t begin = 0;
  while (!text.empty() && u_isUWhiteSpace(last_character(text, begin)))
    text = text.substr(0, begin);
  return text.size();
}

std::size_t space_at_start(std::string_view text) {
  std::size_t length = 0;
  std::size_t end = 0;
  while (length < text.size() && u_isUWhiteSpace(first_character(text.substr(length), end))) {
    length += end;
  }
  return length;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens,
                                     const std::vector<std::string>& contents)
    : tokens_(std::move(tokens)) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    if (contents[i].empty()) continue;
    std::int32_t node = 0;
    for (const char c : contents[i]) {
      const auto fresh = static_cast<std::int32_t>(nodes_.size());
      const auto [edge, added] = nodes_[static_cast<std::size_t>(node)].next.emplace(c, fresh);
      node = edge->second;
      if (added) nodes_.emplace_back();
    }
    nodes_[static_cast<std::size_t>(node)].token = static_cast<std::int32_t>(i);
    first_[static_cast<std::uint8_t>(contents[i].front())] = true;
  }
}

AddedTokenMatcher::Match AddedTokenMatcher::longest_at(std::string_view text,
                                                       std::size_t at) const {
  Match best;
  const Node* node = nodes_.data();
  for (std::size_t i = at; i < text.size(); ++i) {
    const auto edge = node->next.find(text[i]);
    if (edge == node->next.end()) break;
    node = &nodes_[static_cast<std::size_t>(edge->second)];
    if (node->token >= 0) best = {node->token, i + 1 - at};
  }
  return best;
}

void AddedTokenMatcher::split(std::string_view text, bool skip_special,
                              std::vector<TokenOrText>& parts) const {
  std::size_t taken = 0;  // everything before is in parts
  std::size_t at = 0;
  while (!tokens_.empty() && at < text.size()) {
    const Match match =
        first_[static_cast<std::uint8_t>(text[at])] ? longest_at(text, at) : Match{};
    if (match.token < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(match.token)];
    std::size_t begin = at;
    std::size_t end = at + match.length;
    at = end;
    if (skip_special && token.special) continue;
    if (token.single_word &&
        (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end)))) {
      continue;
    }
    if (token.lstrip) begin = std::max(without_space_at_end(text.substr(0, begin)), taken);
    if (token.rstrip) end += space_at_start(text.substr(end));
    if (taken < begin) parts.push_back({std::nullopt, text.substr(taken, begin - taken)});
    parts.push_back({token.id, text.substr(begin, end - begin)});
    taken = end;
  }
  if (taken < text.size()) parts.push_back({std::nullopt, text.substr(taken)});
}

}  // namespace tapir::text
