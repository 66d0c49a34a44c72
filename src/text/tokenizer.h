// Tokenizers as Hugging Face folders describe them (tokenizer.json or a sentencepiece model, and
// tokenizer_config.json), with the same ids.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tapir::text {

using TokenId = std::int32_t;

// What stands before a part of a longer text. Some tokenizers put a blank before a text, by what
// stands there.
enum class Before { nothing, token, text };

// How an added token treats white space beside it: it swallows it on that side.
struct TokenEdges {
  bool lstrip = false;
  bool rstrip = false;
};

// Immutable after loading; thread-safe.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // Text from users and teachers: special tokens written out in the text stay ordinary text.
  virtual std::vector<TokenId> encode(std::string_view utf8) const = 0;
  // As encode(), for a part of a conversation: `before` it stands nothing, a control token or text.
  virtual std::vector<TokenId> encode_part(std::string_view utf8, Before before) const {
    (void)before;
    return encode(utf8);
  }
  // As the `tokenizers` package does: added tokens in the text are recognised; the post-processor's
  // tokens (begin of text) are added when add_special_tokens.
  virtual std::vector<TokenId> encode_with_specials(std::string_view utf8,
                                                    bool add_special_tokens) const = 0;
  // Invalid UTF-8 that byte tokens form is replaced by U+FFFD.
  virtual std::string decode(std::span<const TokenId> ids, bool skip_special_tokens) const = 0;
  // The bytes that one token stands for, perhaps a part of a character; empty: no such id. The
  // default is decode() of it.
  virtual std::string token_bytes(TokenId id) const;
  virtual std::optional<TokenId> token_to_id(std::string_view token) const = 0;
  virtual std::string id_to_token(
      TokenId id) const = 0;                    // as written in tokenizer.json; empty: no such id
  virtual std::int64_t vocab_size() const = 0;  // the highest id + 1, added tokens included
  // A control token: encode() never gives it (but for the unknown token, where a text has
  // characters that the vocabulary has not), decode() can leave it out.
  virtual bool is_special(TokenId id) const = 0;
  virtual TokenEdges edges(TokenId id) const {
    (void)id;
    return {};
  }
  virtual std::optional<TokenId> bos_token() const = 0;
  virtual std::optional<TokenId> eos_token() const = 0;
};

// Reads tokenizer.json, else tokenizer.model (sentencepiece), and tokenizer_config.json.
// Error{data} names the file and any component that is not supported.
std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& folder);

struct BpeTrainerOptions {
  int vocab_size = 1024;                    // special tokens and the 256 bytes included
  std::vector<std::string> special_tokens;  // take the first ids
  int min_frequency = 2;
  // Split pattern (PCRE2 syntax); digits stand alone and a word carries its leading blank.
  std::string pattern = R"( ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]|\s)";
};

// Trains a byte-level BPE. Deterministic: ties go to the pair whose strings come first. Returns
// tokenizer.json's text, loadable by load_tokenizer() and by the `tokenizers` package.
std::string train_bpe(std::span<const std::string> texts, const BpeTrainerOptions& options);

}  // namespace tapir::text
