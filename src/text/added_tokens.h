// Tokens that are recognised in the raw text, before BPE sees it: control tokens and the like.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace tapir::text {

// As an entry of "added_tokens" in tokenizer.json.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool single_word = false;  // only where no word character is next to it
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space after it
  bool normalized = false;   // looked for in the normalized text
  bool special = false;
};

// A stretch of text: a token, or text between tokens.
struct TokenOrText {
  std::optional<TokenId> token;
  std::string_view text;
};

// Finds a set of tokens: leftmost first, the longest of those that begin there. Immutable;
// thread-safe.
class AddedTokenMatcher {
 public:
  AddedTokenMatcher() = default;
  // contents[i]: the bytes to look for, for tokens[i].
  AddedTokenMatcher(std::vector<AddedToken> tokens, const std::vector<std::string>& contents);

  // skip_special: special tokens are matched but stay text (what lies inside their match does too).
  void split(std::string_view text, bool skip_special, std::vector<TokenOrText>& parts) const;
  bool empty() const { return tokens_.empty(); }

 private:
  struct Node {
    std::map<char, std::int32_t> next;
    std::int32_t token = -1;  // index into tokens_
  };
  struct Match {
    std::int32_t token = -1;
    std::size_t length = 0;
  };
  Match longest_at(std::string_view text, std::size_t at) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_{1};
  std::array<bool, 256> first_{};  // bytes that a token begins with
};

}  // namespace tapir::text
