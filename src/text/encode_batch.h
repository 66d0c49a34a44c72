// Many texts at once.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace tapir::text {

struct EncodeBatchOptions {
  bool add_special_tokens = true;  // as in Tokenizer::encode_with_specials()
  int threads = 1;                 // changes speed only
};

// encode_with_specials() of every text, in their order. Throws what a text's encoding threw.
std::vector<std::vector<TokenId>> encode_batch(const Tokenizer& tokenizer,
                                               std::span<const std::string> texts,
                                               const EncodeBatchOptions& options);

}  // namespace tapir::text
