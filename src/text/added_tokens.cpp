#include "text/added_tokens.h"

#include <algorithm>
#include <utility>

#include <unicode/uchar.h>

#include "text/unicode.h"
#include "text/white_space.h"

namespace tapir::text {
namespace {

// \w of Unicode's regular expressions (UTS 18).
bool is_word(char32_t point) {
  const auto c = static_cast<UChar32>(point);
  const auto type = u_charType(c);
  return u_isUAlphabetic(c) || type == U_NON_SPACING_MARK || type == U_ENCLOSING_MARK ||
         type == U_COMBINING_SPACING_MARK || type == U_DECIMAL_DIGIT_NUMBER ||
         type == U_CONNECTOR_PUNCTUATION || c == 0x200C || c == 0x200D;
}

bool ends_with_word(std::string_view text) {
  return !text.empty() && is_word(last_character(text).point);
}

bool starts_with_word(std::string_view text) {
  return !text.empty() && is_word(first_character(text).point);
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
    if (token.lstrip)
      begin = std::max(strip_space_right(text.substr(0, begin), is_white_space).size(), taken);
    if (token.rstrip) end = text.size() - strip_space_left(text.substr(end), is_white_space).size();
    if (taken < begin) parts.push_back({std::nullopt, text.substr(taken, begin - taken)});
    parts.push_back({token.id, text.substr(begin, end - begin)});
    taken = end;
  }
  if (taken < text.size()) parts.push_back({std::nullopt, text.substr(taken)});
}

}  // namespace tapir::text
