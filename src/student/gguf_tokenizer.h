// A tokenizer as llama.cpp wants it: the tokenizer.* keys of a GGUF file. No torch here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "student/gguf_writer.h"
#include "text/tokenizer.h"

namespace tapir::student {

// What a GGUF file says of a tokenizer besides its tokens.
struct GgufTokenizerFacts {
  std::int64_t vocab_size = 0;            // of the model: ids beyond the tokenizer's are padding
  std::optional<text::TokenId> bos;       // begin of text, when the model has one
  std::vector<text::TokenId> end_tokens;  // what ends an answer, the tokenizer's own first
  std::optional<text::TokenId> pad;
  std::string chat_template;  // Jinja; empty: none
};

// Adds the keys. llama.cpp knows two kinds that our families use: "gpt2" (BPE over bytes; the
// pre-tokenizer is one of its built-in ones, by name) and "llama" (BPE over characters with byte
// fallback, merged by score). Returns notes for the user: what llama.cpp does differently.
// Error{data} names the component that llama.cpp has no equal of.
std::vector<std::string> add_gguf_tokenizer(const std::filesystem::path& folder,
                                            const text::Tokenizer& tokenizer,
                                            const GgufTokenizerFacts& facts,
                                            GgufMetadata& metadata);

}  // namespace tapir::student
