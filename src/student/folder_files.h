// The small files of a student folder that decide how it behaves wherever it is loaded. No torch
// here.
#pragma once

#include <filesystem>

namespace tapir::student {

// Adds what a folder with config.json, weights and tokenizer lacks, and leaves alone what it has:
// - generation_config.json names every token that ends an answer in the folder's chat format,
// beside
//   those it names already: a base model whose template brings its own end token would otherwise
//   talk on in transformers and vLLM;
// - special_tokens_map.json, from tokenizer_config.json;
// - chat_template.jinja, from tokenizer_config.json.
// Files are written whole, not flushed. Idempotent. Error{data} when one that is there cannot be
// read.
void complete_folder(const std::filesystem::path& folder);

}  // namespace tapir::student
