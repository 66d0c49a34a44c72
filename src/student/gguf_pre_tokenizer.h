// Which of llama.cpp's built-in pre-tokenizers cuts a text as a tokenizer.json does.
#pragma once

#include <string>

#include "base/json.h"

namespace tapir::student {

// tokenizer.json -> the value of tokenizer.ggml.pre: "llama-bpe", "qwen2", ... Error{data} with
// `where` when llama.cpp has none that gives the same tokens.
std::string gguf_pre_tokenizer(const Json& tokenizer, const std::string& where);

}  // namespace tapir::student
