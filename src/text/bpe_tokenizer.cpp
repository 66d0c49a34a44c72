#include "text/bpe_tokenizer.h"

#include <utility>

#include "base/strings.h"

namespace tapir::text {

// A scratch for the time of one call.
class BpeTokenizer::Lease {
 public:
  explicit Lease(const BpeTokenizer& owner) : owner_(owner) {
    const std::lock_guard lock(owner_.mutex_);
    if (!owner_.pool_.empty()) {
      scratch_ = std::move(owner_.pool_.back());
      owner_.pool_.pop_back();
    }
  }
  ~Lease() {
    if (scratch_ == nullptr) return;
    const std::lock_guard lock(owner_.mutex_);
    owner_.pool_.push_back(std::move(scratch_));
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  Scratch& operator*() {
    if (scratch_ == nullptr) scratch_ = std::make_unique<Scratch>();
    return *scratch_;
  }

 private:
  const BpeTokenizer& owner_;
  std::unique_ptr<Scratch> scratch_;
};

BpeTokenizer::BpeTokenizer(BpeTokenizerParts parts)
    : TableTokenizer(std::move(parts.table), parts.bos, parts.eos), parts_(std::move(parts)) {
  if (!parts_.decoder->bytes_only()) return;
  for (TokenId id = 0; id < static_cast<TokenId>(vocab_size()); ++id) {
    bytes_.push_back(parts_.decoder->token_bytes(table().token(id)));
  }
}

std::vector<TokenId> BpeTokenizer::encode(std::string_view utf8) const {
  return encode_part(utf8, Before::nothing);
}

std::vector<TokenId> BpeTokenizer::encode_part(std::string_view utf8, Before before) const {
  std::vector<TokenId> ids;
  Lease lease(*this);
  encode_text(utf8, before, {*lease, ids, /*skip_special=*/true});
  return ids;
}

std::vector<TokenId> BpeTokenizer::encode_with_specials(std::string_view utf8,
                                                        bool add_special_tokens) const {
  std::vector<TokenId> ids;
  if (add_special_tokens) ids = parts_.prefix;
  Lease lease(*this);
  encode_text(utf8, Before::nothing, {*lease, ids, /*skip_special=*/false});
  if (add_special_tokens) ids.insert(ids.end(), parts_.suffix.begin(), parts_.suffix.end());
  return ids;
}

void BpeTokenizer::encode_text(std::string_view utf8, Before before, Work work) const {
  Scratch& scratch = work.scratch;
  if (!is_valid_utf8(utf8)) utf8 = scratch.repaired = valid_utf8(utf8);
  scratch.raw_parts.clear();
  parts_.raw_added.split(utf8, work.skip_special, scratch.raw_parts);
  for (const TokenOrText& part : scratch.raw_parts) {
    if (part.token) {
      work.ids.push_back(*part.token);
    } else {
      encode_normalized(parts_.normalizer.apply(part.text, before, scratch.normalized), before,
                        work);
    }
    before = Before::token;
  }
}

void BpeTokenizer::encode_normalized(std::string_view utf8, Before before, Work work) const {
  if (parts_.normalized_added.empty()) return encode_words(utf8, before, work);
  Scratch& scratch = work.scratch;
  scratch.parts.clear();
  parts_.normalized_added.split(utf8, work.skip_special, scratch.parts);
  for (const TokenOrText& part : scratch.parts) {
    if (part.token) {
      work.ids.push_back(*part.token);
    } else {
      encode_words(part.text, before, work);
    }
    before = Before::token;
  }
}

void BpeTokenizer::encode_words(std::string_view utf8, Before before, Work work) const {
  parts_.pre_tokenizer->split(utf8, before, work.scratch.words);
  for (const std::string_view word : work.scratch.words.list) {
    parts_.model->encode_word(word, work.scratch.bpe, work.ids);
  }
}

std::string BpeTokenizer::decode(std::span<const TokenId> ids, bool skip_special_tokens) const {
  std::string bytes;
  std::vector<std::string> tokens;
  for (const TokenId id : ids) {
    if (!table().known(id) || (skip_special_tokens && is_special(id))) continue;
    if (bytes_.empty()) {
      tokens.push_back(table().token(id));
    } else {
      bytes += bytes_[static_cast<std::size_t>(id)];
    }
  }
  if (bytes_.empty()) return parts_.decoder->decode(std::move(tokens));
  return is_valid_utf8(bytes) ? bytes : valid_utf8(bytes);
}

std::string BpeTokenizer::token_bytes(TokenId id) const {
  if (!table().known(id)) return {};
  return bytes_.empty() ? parts_.decoder->token_bytes(table().token(id))
                        : bytes_[static_cast<std::size_t>(id)];
}

}  // namespace tapir::text
