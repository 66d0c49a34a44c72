#include "text/word_scanner.h"

#include <cstddef>

#include <unicode/utf8.h>

#include "text/unicode.h"

namespace tapir::text {
namespace {

struct Character {
  CharClass char_class = kSymbol;
  std::size_t end = 0;  // where the next one begins
};

// Reads a text forward. Every function takes a position and gives back the end of what it matches.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::size_t size() const { return text_.size(); }
  bool more(std::size_t at) const { return at < text_.size(); }

  Character at(std::size_t at) const {
    const auto byte = static_cast<std::uint8_t>(text_[at]);
    if (byte < 0x80) return {kAsciiClasses[byte], at + 1};
    UChar32 point = 0;
    U8_NEXT_UNSAFE(text_.data(), at, point);
    return {classify(static_cast<char32_t>(point)), at};
  }

  bool has(std::size_t at, CharClass wanted) const {
    return more(at) && this->at(at).char_class == wanted;
  }

  // The run of characters of one class, at most `limit` of them.
  std::size_t run(std::size_t at, CharClass wanted,
                  std::size_t limit = static_cast<std::size_t>(-1)) const {
    for (; more(at) && limit > 0; --limit) {
      const Character c = this->at(at);
      if (c.char_class != wanted) break;
      at = c.end;
    }
    return at;
  }

  std::size_t newlines(std::size_t at) const {
    while (more(at) && (text_[at] == '\r' || text_[at] == '\n')) ++at;
    return at;
  }

  // 's 't 're 've 'm 'll 'd, or the start when there is none.
  std::size_t contraction(std::size_t at, bool any_case) const {
    const auto letter = [&](std::size_t i) {
      const char c = i < text_.size() ? text_[i] : '\0';
      return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    };
    if (letter(at) != '\'') return at;
    const char first = letter(at + 1);
    const char second = letter(at + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
    if ((first == 'r' || first == 'v') && second == 'e') return at + 3;
    if (first == 'l' && second == 'l') return at + 3;
    if (any_case && text_.substr(at + 1).starts_with("\u017F")) return at + 3;  // the long s
    return at;
  }

  // \s+(?!\S)|\s+ : a run of white space but for its last character, which goes to what follows.
  // with_lines: \s*[\r\n]+ goes before, up to the last line end of the run.
  std::size_t white_space(std::size_t at, bool with_lines) const {
    std::size_t end = at;
    std::size_t last = at;  // where the run's last character begins
    std::size_t line_end = at;
    while (more(end)) {
      const Character c = this->at(end);
      if ((c.char_class & kSpace) == 0) break;
      last = end;
      end = c.end;
      if ((c.char_class & kNewline) != 0) line_end = end;
    }
    if (with_lines && line_end > at) return line_end;
    return more(end) && last > at ? last : end;
  }

 private:
  std::string_view text_;
};

std::size_t gpt2_word(const Scanner& scan, std::string_view text, std::size_t at) {
  if (const std::size_t end = scan.contraction(at, /*any_case=*/false); end > at) return end;
  const bool blank = text[at] == ' ' && scan.more(at + 1);
  const CharClass next = scan.at(blank ? at + 1 : at).char_class;
  if ((next & kSpace) == 0) return scan.run(blank ? at + 1 : at, next);
  return scan.white_space(at, /*with_lines=*/false);
}

template <std::size_t kDigits>
std::size_t cl100k_word(const Scanner& scan, std::string_view text, std::size_t at) {
  if (const std::size_t end = scan.contraction(at, /*any_case=*/true); end > at) return end;
  const Character first = scan.at(at);
  if (first.char_class == kLetter) return scan.run(first.end, kLetter);
  if (first.char_class == kNumber) return scan.run(at, kNumber, kDigits);
  const bool line_end = (first.char_class & kNewline) != 0;
  if (!line_end && scan.has(first.end, kLetter)) return scan.run(first.end, kLetter);
  if (first.char_class == kSymbol) return scan.newlines(scan.run(first.end, kSymbol));
  if (text[at] == ' ' && scan.has(at + 1, kSymbol)) {
    return scan.newlines(scan.run(at + 1, kSymbol));
  }
  return scan.white_space(at, /*with_lines=*/true);
}

using NextWord = std::size_t (*)(const Scanner&, std::string_view, std::size_t);

template <NextWord kNext>
void scan_words(std::string_view text, std::vector<std::string_view>& words) {
  const Scanner scan(text);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = kNext(scan, text, at);
    words.push_back(text.substr(at, end - at));
    at = end;
  }
}

}  // namespace

WordScanner find_word_scanner(std::string_view pattern) {
  if (pattern == kGpt2Pattern) return scan_words<gpt2_word>;
  if (pattern == kQwen2Pattern) return scan_words<cl100k_word<1>>;
  if (pattern == kLlama3Pattern) return scan_words<cl100k_word<3>>;
  return nullptr;
}

}  // namespace tapir::text
