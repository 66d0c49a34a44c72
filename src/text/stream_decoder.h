// Text from tokens that come one by one.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace tapir::text {

// Special tokens give no text. All pieces together are what Tokenizer::decode() makes of all tokens
// (skip_special_tokens); only where the tokens' bytes are no UTF-8 at all may the two differ in
// where they put U+FFFD. A token costs the same however many came before. One answer, one decoder;
// `tokenizer` outlives it.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // The text that this token settles, in whole code points: empty while one is not complete.
  std::string push(TokenId token);
  // What is still held back; at the end.
  std::string finish();

 private:
  std::string text(std::size_t from, std::size_t to) const;
  std::string settle(std::size_t up_to, std::string fresh);

  const Tokenizer& tokenizer_;
  // ids_[0, given_) have been given out; they stay because a tokenizer may write a token in another
  // way at the beginning of a text.
  std::vector<TokenId> ids_;
  std::size_t given_ = 0;
  std::string before_;  // text(0, given_)
};

}  // namespace tapir::text
