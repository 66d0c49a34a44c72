#include "text/jinja_tokens.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/error.h"

namespace tapir::text {
namespace {

using Kind = JinjaToken::Kind;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

void append_utf8(std::uint32_t point, std::string& out) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | (point >> 6));
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    out += static_cast<char>(0xE0 | (point >> 12));
    out += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  }
}

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& where) : source_(source), where_(where) {
    // A template's last line end is not part of it (keep_trailing_newline is off).
    if (source_.ends_with('\n')) source_.remove_suffix(1);
  }

  std::vector<JinjaToken> run() {
    while (at_ < source_.size()) read_text();
    push(Kind::end, {});
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, where_ + ":" + std::to_string(line_) + ": " + what);
  }
  void push(Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }
  void advance(std::size_t count) {
    const auto begin = source_.begin() + static_cast<std::ptrdiff_t>(at_);
    line_ += static_cast<int>(std::count(begin, begin + static_cast<std::ptrdiff_t>(count), '\n'));
    at_ += count;
  }
  std::string_view rest() const { return source_.substr(at_); }

  void read_text();
  void read_comment();
  void read_tag(std::string_view end, Kind end_kind);
  void close_tag(bool strips_right, bool trims_line_end);
  bool read_word();
  void read_string();
  void read_number();
  void read_symbol();

  std::string_view source_;
  const std::string& where_;
  std::size_t at_ = 0;
  int line_ = 1;
  int depth_ = 0;            // open brackets inside a tag
  bool strip_next_ = false;  // "-%}": white space after the tag goes
  std::vector<JinjaToken> tokens_;
};

// Text up to the next tag, and that tag.
void Lexer::read_text() {
  std::size_t open = at_;
  for (;; ++open) {
    open = source_.find('{', open);
    if (open == source_.npos || open + 1 >= source_.size()) break;
    const char next = source_[open + 1];
    if (next == '%' || next == '{' || next == '#') break;
  }
  const bool tag = open != source_.npos && open + 1 < source_.size();
  std::string_view text = source_.substr(at_, tag ? open - at_ : source_.npos);
  const std::size_t length = text.size();
  if (strip_next_) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  }
  strip_next_ = false;
  const char mark = tag && open + 2 < source_.size() ? source_[open + 2] : '\0';
  if (tag && mark == '-') {
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  } else if (tag && mark != '+' && source_[open + 1] != '{') {
    // lstrip_blocks: blanks between the beginning of a line and a tag.
    const std::size_t blanks = text.find_last_not_of(" \t");
    const std::size_t keep = blanks == text.npos ? 0 : blanks + 1;
    const bool line_begins = keep == 0
                                 ? text.size() == length && (at_ == 0 || source_[at_ - 1] == '\n')
                                 : text[keep - 1] == '\n';
    if (line_begins) text = text.substr(0, keep);
  }
  if (!text.empty()) push(Kind::text, std::string(text));
  advance(length);
  if (!tag) return;
  const char kind = source_[at_ + 1];
  advance(mark == '-' || mark == '+' ? 3 : 2);
  if (kind == '#') return read_comment();
  push(kind == '%' ? Kind::block_begin : Kind::print_begin, {});
  if (kind == '%') {
    read_tag("%}", Kind::block_end);
  } else {
    read_tag("}}", Kind::print_end);
  }
}

void Lexer::close_tag(bool strips_right, bool trims_line_end) {
  strip_next_ = strips_right;
  if (!strips_right && trims_line_end && rest().starts_with('\n')) advance(1);
}

void Lexer::read_comment() {
  const std::size_t end = source_.find("#}", at_);
  if (end == source_.npos) fail("a comment {# does not end");
  const char before = end > at_ ? source_[end - 1] : '\0';
  advance(end + 2 - at_);
  close_tag(before == '-', before != '+');
}

void Lexer::read_tag(std::string_view end, Kind end_kind) {
  depth_ = 0;
  for (;;) {
    while (at_ < source_.size() && is_space(source_[at_])) advance(1);
    if (at_ >= source_.size()) fail("a tag does not end");
    const bool marked =
        (source_[at_] == '-' || source_[at_] == '+') && rest().substr(1).starts_with(end);
    if (depth_ == 0 && (marked || rest().starts_with(end))) {
      const char mark = marked ? source_[at_] : '\0';
      push(end_kind, {});
      advance(end.size() + (marked ? 1 : 0));
      return close_tag(mark == '-', end_kind == Kind::block_end && mark != '+');
    }
    if (!read_word()) read_symbol();
  }
}

bool Lexer::read_word() {
  const char c = source_[at_];
  if (begins_name(c)) {
    std::size_t end = at_;
    while (end < source_.size() && (begins_name(source_[end]) || is_digit(source_[end]))) ++end;
    push(Kind::name, std::string(source_.substr(at_, end - at_)));
    advance(end - at_);
  } else if (is_digit(c)) {
    read_number();
  } else if (c == '\'' || c == '"') {
    read_string();
  } else {
    return false;
  }
  return true;
}

void Lexer::read_number() {
  std::size_t end = at_;
  bool fraction = false;
  while (end < source_.size() && (is_digit(source_[end]) || source_[end] == '.')) {
    if (source_[end] == '.') {
      if (fraction || end + 1 >= source_.size() || !is_digit(source_[end + 1])) break;
      fraction = true;
    }
    ++end;
  }
  if (end - at_ > 15) fail("a number is too long");
  push(fraction ? Kind::number : Kind::integer, std::string(source_.substr(at_, end - at_)));
  advance(end - at_);
}

void Lexer::read_string() {
  const char quote = source_[at_];
  std::string text;
  std::size_t at = at_ + 1;
  for (; at < source_.size() && source_[at] != quote; ++at) {
    if (source_[at] != '\\' || at + 1 >= source_.size()) {
      text += source_[at];
      continue;
    }
    static constexpr std::array<std::pair<char, char>, 7> kEscapes = {{{'n', '\n'},
                                                                       {'t', '\t'},
                                                                       {'r', '\r'},
                                                                       {'\\', '\\'},
                                                                       {'\'', '\''},
                                                                       {'"', '"'},
                                                                       {'0', '\0'}}};
    const char name = source_[++at];
    const auto* const known = std::find_if(
        kEscapes.begin(), kEscapes.end(), [&](const auto& escape) { return escape.first == name; });
    if (known != kEscapes.end()) {
      text += known->second;
    } else if (name == 'x' || name == 'u') {
      const std::size_t digits = name == 'x' ? 2 : 4;
      const std::string hex(source_.substr(at + 1, digits));
      if (hex.size() != digits || hex.find_first_not_of("0123456789abcdefABCDEF") != hex.npos)
        fail("a string has a broken \\" + std::string(1, name));
      append_utf8(static_cast<std::uint32_t>(std::stoul(hex, nullptr, 16)), text);
      at += digits;
    } else {
      text += '\\';
      text += name;
    }
  }
  if (at >= source_.size()) fail("a string does not end");
  push(Kind::string, std::move(text));
  advance(at + 1 - at_);
}

void Lexer::read_symbol() {
  static constexpr std::array<std::string_view, 6> kTwo = {"==", "!=", "<=", ">=", "//", "**"};
  for (const std::string_view two : kTwo) {
    if (!rest().starts_with(two)) continue;
    push(Kind::symbol, std::string(two));
    return advance(2);
  }
  const char c = source_[at_];
  if (std::string_view("()[]{}.,:|=<>+-*/%~").find(c) == std::string_view::npos)
    fail(std::string("found '") + c + "', which no expression has");
  if (c == '(' || c == '[' || c == '{') ++depth_;
  if (c == ')' || c == ']' || c == '}') --depth_;
  push(Kind::symbol, std::string(1, c));
  advance(1);
}

}  // namespace

std::vector<JinjaToken> jinja_tokens(std::string_view source, const std::string& where) {
  return Lexer(source, where).run();
}

}  // namespace tapir::text
