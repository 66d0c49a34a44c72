// The tokenizer of a folder with a sentencepiece model (tokenizer.model) and no tokenizer.json.
#pragma once

#include <filesystem>
#include <memory>

#include "text/tokenizer.h"

namespace tapir::text {

// Reads tokenizer.model (BPE or unigram) and what tokenizer_config.json, special_tokens_map.json
// and added_tokens.json say. Texts are cut and ids are made as the slow LlamaTokenizer of
// transformers 4 does it:
// - begin of text is put in front unless add_bos_token is false;
// - "legacy" (true where the configuration does not say): every stretch of text between special
//   tokens gets the model's blank in front (add_dummy_prefix);
// - not legacy: only the beginning of the text gets one.
// Pieces that text is not to become (control pieces, and user-defined ones that the configuration
// calls special) are never given by encode().
// Error{data} naming the file.
std::shared_ptr<const Tokenizer> load_sentencepiece_tokenizer(const std::filesystem::path& folder);

}  // namespace tapir::text
