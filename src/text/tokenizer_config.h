// What a Hugging Face folder says of its tokenizer beside the vocabulary: tokenizer_config.json,
// special_tokens_map.json, added_tokens.json.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/added_tokens.h"

namespace tapir::text {

struct TokenizerConfig {
  std::filesystem::path path;                  // tokenizer_config.json, for messages
  std::map<TokenId, AddedToken> added_tokens;  // "added_tokens_decoder"
  std::optional<std::string> bos_token;
  std::optional<std::string> eos_token;
  std::optional<std::string> unk_token;
  std::vector<std::string> other_special_tokens;  // "additional_special_tokens" and the like
  // Nothing where the file does not say.
  std::optional<bool> add_bos_token;
  std::optional<bool> add_eos_token;
  std::optional<bool> add_prefix_space;
  std::optional<bool> legacy;
};

// A folder without these files gives an empty configuration. Error{data} naming file and key.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder);
// added_tokens.json: tokens beyond the model's own, by id.
std::map<TokenId, std::string> read_added_tokens_file(const std::filesystem::path& folder);

// An entry of "added_tokens" or "added_tokens_decoder".
AddedToken read_added_token(const Json& entry, TokenId id, const std::string& where);

}  // namespace tapir::text
