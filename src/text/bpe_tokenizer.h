// The tokenizer that a tokenizer.json with a BPE describes.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/added_tokens.h"
#include "text/bpe_model.h"
#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/token_table.h"
#include "text/tokenizer.h"

namespace tapir::text {

// What the files say, read and checked.
struct BpeTokenizerParts {
  Normalizer normalizer;
  AddedTokenMatcher raw_added;         // looked for before normalization
  AddedTokenMatcher normalized_added;  // and after
  std::unique_ptr<PreTokenizer> pre_tokenizer;
  std::unique_ptr<BpeModel> model;
  std::unique_ptr<Decoder> decoder;
  std::vector<TokenId> prefix;  // what the post-processor puts before a text, and after it
  std::vector<TokenId> suffix;
  TokenTable table;
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
};

// tokenizer.json and tokenizer_config.json of a folder. Error{data}.
BpeTokenizerParts read_bpe_tokenizer(const std::filesystem::path& folder);

class BpeTokenizer final : public TableTokenizer {
 public:
  explicit BpeTokenizer(BpeTokenizerParts parts);

  std::vector<TokenId> encode(std::string_view utf8) const override;
  std::vector<TokenId> encode_part(std::string_view utf8, Before before) const override;
  std::vector<TokenId> encode_with_specials(std::string_view utf8,
                                            bool add_special_tokens) const override;
  std::string decode(std::span<const TokenId> ids, bool skip_special_tokens) const override;
  std::string token_bytes(TokenId id) const override;

 private:
  // What one call of encode works with; taken from a pool, so that nothing is allocated for a text.
  struct Scratch {
    BpeScratch bpe;
    Words words;
    std::string repaired;
    std::string normalized;
    std::vector<TokenOrText> raw_parts;
    std::vector<TokenOrText> parts;
  };
  class Lease;
  // One call's work.
  struct Work {
    Scratch& scratch;
    std::vector<TokenId>& ids;
    bool skip_special = false;  // special tokens in the text stay text
  };

  void encode_text(std::string_view utf8, Before before, Work work) const;
  void encode_normalized(std::string_view utf8, Before before, Work work) const;
  void encode_words(std::string_view utf8, Before before, Work work) const;

  BpeTokenizerParts parts_;
  std::vector<std::string> bytes_;  // by id, where the decoder only puts bytes in a row
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> pool_;  // as many as calls ran at once
};

}  // namespace tapir::text
