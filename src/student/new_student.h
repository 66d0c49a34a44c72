// A fresh student. No torch here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "student/config.h"

namespace tapir::student {

struct NewStudent {
  ModelConfig config;     // vocab_size 0: the tokenizer's; the ids of special tokens are filled in
                          // from the format
  std::string tokenizer;  // text of tokenizer.json, for example from text::train_bpe()
  std::string chat_format;  // name of text::chat_format_names()
  std::string
      bos_token;  // a special token of the tokenizer; empty: a usual one that it has, or none
  std::string eos_token;  // likewise
  std::uint64_t seed = 0;
};

// Writes a whole Hugging Face folder: config.json, generation_config.json, tokenizer.json,
// tokenizer_config.json, special_tokens_map.json, chat_template.jinja and model.safetensors.
// Weights as transformers makes them (initial_weights.h). The folder is published whole, and
// replaces an older one. Error{usage} for an impossible config or an unknown format; Error{data}
// when the tokenizer lacks the format's special tokens or has more tokens than vocab_size.
void make_new_student(const NewStudent& student, const std::filesystem::path& folder);

}  // namespace tapir::student
