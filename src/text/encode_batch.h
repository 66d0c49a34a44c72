// Many texts at once.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace tapir::text {

// encode(i) of every i below `count`, in their order; `threads` changes speed only. encode is
// called on several threads at once. Throws what the first text threw that could not be encoded.
std::vector<std::vector<TokenId>> encode_batch(
    std::size_t count, const std::function<std::vector<TokenId>(std::size_t)>& encode, int threads);

struct EncodeBatchOptions {
  bool add_special_tokens = true;  // as in Tokenizer::encode_with_specials()
  int threads = 1;                 // changes speed only
};

// encode_with_specials() of every text, in their order.
std::vector<std::vector<TokenId>> encode_batch(const Tokenizer& tokenizer,
                                               std::span<const std::string> texts,
                                               const EncodeBatchOptions& options);

}  // namespace tapir::text
