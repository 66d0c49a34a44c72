#include "text/tokenizer.h"

#include <utility>

#include "base/strings.h"
#include "text/byte_level_tokenizer.h"
#include "text/normalizer.h"

namespace tapir::text {

ByteLevelTokenizer::ByteLevelTokenizer(TokenizerParts parts) : parts_(std::move(parts)) {}

std::vector<TokenId> ByteLevelTokenizer::encode(std::string_view utf8) const {
  std::vector<TokenId> ids;
  encode_parts(utf8, /*skip_special=*/true, ids);
  return ids;
}

std::vector<TokenId> ByteLevelTokenizer::encode_with_specials(std::string_view utf8,
                                                              bool add_special_tokens) const {
  std::vector<TokenId> ids;
  if (add_special_tokens) ids = parts_.prefix;
  encode_parts(utf8, /*skip_special=*/false, ids);
  if (add_special_tokens) ids.insert(ids.end(), parts_.suffix.begin(), parts_.suffix.end());
  return ids;
}

void ByteLevelTokenizer::encode_parts(std::string_view utf8, bool skip_special,
                                      std::vector<TokenId>& ids) const {
  std::string repaired;
  if (!is_valid_utf8(utf8)) utf8 = repaired = valid_utf8(utf8);
  std::vector<TokenOrText> parts;
  parts_.raw_added.split(utf8, skip_special, parts);
  for (const TokenOrText& part : parts) {
    if (part.token) {
      ids.push_back(*part.token);
    } else {
      encode_text(part.text, skip_special, ids);
    }
  }
}

void ByteLevelTokenizer::encode_text(std::string_view utf8, bool skip_special,
                                     std::vector<TokenId>& ids) const {
  std::string composed;
  if (parts_.nfc) utf8 = composed = to_nfc(utf8);
  if (parts_.normalized_added.empty()) return encode_words(utf8, ids);
  std::vector<TokenOrText> parts;
  parts_.normalized_added.split(utf8, skip_special, parts);
  for (const TokenOrText& part : parts) {
    if (part.token) {
      ids.push_back(*part.token);
    } else {
      encode_words(part.text, ids);
    }
  }
}

void ByteLevelTokenizer::encode_words(std::string_view utf8, std::vector<TokenId>& ids) const {
  std::vector<std::string_view> words;
  std::deque<std::string> owned;
  parts_.pre_tokenizer->split(utf8, words, owned);
  for (const std::string_view word : words) parts_.model->encode_word(word, ids);
}

std::string ByteLevelTokenizer::decode(std::span<const TokenId> ids,
                                       bool skip_special_tokens) const {
  std::string bytes;
  for (const TokenId id : ids) {
    if (!known(id) || (skip_special_tokens && is_special(id))) continue;
    bytes += parts_.bytes[static_cast<std::size_t>(id)];
  }
  return is_valid_utf8(bytes) ? bytes : valid_utf8(bytes);
}

std::optional<TokenId> ByteLevelTokenizer::token_to_id(std::string_view token) const {
  const auto found = parts_.ids.find(std::string(token));
  if (found == parts_.ids.end()) return std::nullopt;
  return found->second;
}

bool ByteLevelTokenizer::known(TokenId id) const {
  return id >= 0 && static_cast<std::size_t>(id) < parts_.tokens.size();
}

std::string ByteLevelTokenizer::id_to_token(TokenId id) const {
  return known(id) ? parts_.tokens[static_cast<std::size_t>(id)] : std::string();
}

std::int64_t ByteLevelTokenizer::vocab_size() const {
  return static_cast<std::int64_t>(parts_.tokens.size());
}

bool ByteLevelTokenizer::is_special(TokenId id) const {
  return known(id) && parts_.special[static_cast<std::size_t>(id)];
}

std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& folder) {
  return std::make_shared<ByteLevelTokenizer>(read_tokenizer(folder));
}

}  // namespace tapir::text
