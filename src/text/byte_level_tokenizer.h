// The tokenizer that a tokenizer.json with a byte-level BPE describes.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/added_tokens.h"
#include "text/bpe_model.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace tapir::text {

// What the files say, read and checked; by id where it is a vector.
struct TokenizerParts {
  bool nfc = false;
  AddedTokenMatcher raw_added;         // looked for before normalization
  AddedTokenMatcher normalized_added;  // and after
  std::unique_ptr<PreTokenizer> pre_tokenizer;
  std::unique_ptr<BpeModel> model;
  std::vector<TokenId> prefix;  // what the post-processor puts before a text, and after it
  std::vector<TokenId> suffix;
  std::vector<std::string> tokens;
  std::vector<std::string> bytes;  // what the token decodes to
  std::vector<bool> special;
  std::unordered_map<std::string, TokenId> ids;
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
};

// tokenizer.json and tokenizer_config.json of a folder. Error{data}.
TokenizerParts read_tokenizer(const std::filesystem::path& folder);

class ByteLevelTokenizer final : public Tokenizer {
 public:
  explicit ByteLevelTokenizer(TokenizerParts parts);

  std::vector<TokenId> encode(std::string_view utf8) const override;
  std::vector<TokenId> encode_with_specials(std::string_view utf8,
                                            bool add_special_tokens) const override;
  std::string decode(std::span<const TokenId> ids, bool skip_special_tokens) const override;
  std::optional<TokenId> token_to_id(std::string_view token) const override;
  std::string id_to_token(TokenId id) const override;
  std::int64_t vocab_size() const override;
  bool is_special(TokenId id) const override;
  std::optional<TokenId> bos_token() const override { return parts_.bos; }
  std::optional<TokenId> eos_token() const override { return parts_.eos; }

 private:
  bool known(TokenId id) const;
  void encode_parts(std::string_view utf8, bool skip_special, std::vector<TokenId>& ids) const;
  void encode_text(std::string_view utf8, bool skip_special, std::vector<TokenId>& ids) const;
  void encode_words(std::string_view utf8, std::vector<TokenId>& ids) const;

  TokenizerParts parts_;
};

}  // namespace tapir::text
