#include "text/stream_decoder.h"

#include <span>

namespace tapir::text {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
// Tokens that end in an unfinished code point are waited for, but not for ever: the unfinished one
// has at most three bytes, hence three tokens; what came before those is not UTF-8.
constexpr std::size_t kMaxHeld = 8;
constexpr std::size_t kUnfinished = 3;

}  // namespace

std::string StreamDecoder::text(std::size_t from, std::size_t to) const {
  return tokenizer_.decode(std::span(ids_).subspan(from, to - from), /*skip_special_tokens=*/true);
}

std::string StreamDecoder::push(TokenId token) {
  if (tokenizer_.is_special(token)) return {};
  ids_.push_back(token);
  if (!text(given_, ids_.size()).ends_with(kReplacement)) return settle(ids_.size());
  if (ids_.size() - given_ > kMaxHeld) return settle(ids_.size() - kUnfinished);
  return {};
}

std::string StreamDecoder::finish() { return settle(ids_.size()); }

// Gives out ids_[given_, up_to) and makes them the context of what follows.
std::string StreamDecoder::settle(std::size_t up_to) {
  if (up_to == given_) return {};
  const std::string before = text(0, given_);
  std::string all = text(0, up_to);
  std::string piece = all.starts_with(before) ? all.substr(before.size()) : text(given_, up_to);
  ids_.erase(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(given_));
  given_ = up_to - given_;
  return piece;
}

}  // namespace tapir::text
