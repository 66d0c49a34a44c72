#include "text/stream_decoder.h"

#include <span>
#include <utility>

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
  std::string fresh = text(given_, ids_.size());
  if (!fresh.ends_with(kReplacement)) return settle(ids_.size(), std::move(fresh));
  if (ids_.size() - given_ <= kMaxHeld) return {};
  const std::size_t up_to = ids_.size() - kUnfinished;
  return settle(up_to, text(given_, up_to));
}

std::string StreamDecoder::finish() {
  if (given_ == ids_.size()) return {};
  return settle(ids_.size(), text(given_, ids_.size()));
}

// Gives out ids_[given_, up_to), whose text is `fresh`, and makes them the context of what follows.
std::string StreamDecoder::settle(std::size_t up_to, std::string fresh) {
  const std::string all = text(0, up_to);
  std::string piece = all.starts_with(before_) ? all.substr(before_.size()) : fresh;
  ids_.erase(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(given_));
  given_ = up_to - given_;
  before_ = std::move(fresh);
  return piece;
}

}  // namespace tapir::text
