#include "text/regex.h"

#include <array>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"
#include "text/unicode.h"

namespace tapir::text {
namespace {

// White space as Unicode has it, the set that tokenizers are trained with. PCRE2's own \s also
// takes U+180E, which Unicode took out of the set in version 6.3.
constexpr std::string_view kSpace =
    R"(\x09-\x0d\x20\x85\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kNotSpace =
    R"(\x00-\x08\x0e-\x1f\x21-\x84\x86-\x9f\xa1-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027})"
    R"(\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff})";

// The name in "\p{name}" at the start of text; empty: there is none.
std::string_view property_name(std::string_view text) {
  const std::size_t end = text.find('}');
  const bool property = text.size() > 3 && (text[1] == 'p' || text[1] == 'P') && text[2] == '{';
  return property && end != text.npos ? text.substr(3, end - 3) : std::string_view();
}

// One escape at the start of text, written out; length: how much of text it is.
std::string spell_out_escape(std::string_view text, bool in_class, std::size_t& length) {
  length = 2;
  const bool negated = text[1] == 'S' || text[1] == 'P';
  std::string members;
  if (text[1] == 's' || text[1] == 'S') {
    members = text[1] == 's' || !in_class ? kSpace : kNotSpace;
  } else if (const std::string_view name = property_name(text); !name.empty()) {
    length = name.size() + 4;
    members = newer_characters(name);
    if (members.empty() || (negated && in_class)) return std::string(text.substr(0, length));
    members.insert(0, "\\p{" + std::string(name) + "}");
  } else {
    return std::string(text.substr(0, length));
  }
  return in_class ? members : (negated ? "[^" : "[") + members + "]";
}

// Writes out the classes that PCRE2 sees otherwise: \s, \S and \p{...} of newer characters.
std::string spell_out_classes(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size();) {
    std::size_t length = 1;
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      out += spell_out_escape(pattern.substr(i), in_class, length);
    } else {
      if (pattern[i] == '[') in_class = true;
      if (pattern[i] == ']') in_class = false;
      out += pattern[i];
    }
    i += length;
  }
  return out;
}

std::string reason(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

struct MatchDataDeleter {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

}  // namespace

struct Regex::Compiled {
  pcre2_code* code = nullptr;
  std::string where;
  ~Compiled() { pcre2_code_free(code); }
};

Regex::Regex(std::string_view pattern, std::string_view where)
    : compiled_(std::make_unique<Compiled>()) {
  const std::string text = spell_out_classes(pattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  compiled_->where = where;
  compiled_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                  PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset,
                                  /*ccontext=*/nullptr);
  if (compiled_->code == nullptr) {
    throw Error(ErrorKind::data, std::string(where) +
                                     ": the split pattern does not compile: " + reason(error) +
                                     " (at " + std::to_string(offset) + " of " + text + ")");
  }
  // Without a compiler for this CPU the interpreter does the same, slower.
  pcre2_jit_compile(compiled_->code, PCRE2_JIT_COMPLETE);
}

Regex::~Regex() = default;
Regex::Regex(Regex&& other) noexcept = default;
Regex& Regex::operator=(Regex&& other) noexcept = default;

void Regex::find_all(std::string_view text, std::vector<Range>& matches) const {
  matches.clear();
  const std::unique_ptr<pcre2_match_data, MatchDataDeleter> data(
      pcre2_match_data_create(/*ovecsize=*/1, /*gcontext=*/nullptr));
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  std::size_t at = 0;
  while (at < text.size()) {
    int found = pcre2_match(compiled_->code, subject, text.size(), at, PCRE2_NO_UTF_CHECK,
                            data.get(), nullptr);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {  // the interpreter takes its memory from the heap
      found = pcre2_match(compiled_->code, subject, text.size(), at,
                          PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data.get(), nullptr);
    }
    if (found == PCRE2_ERROR_NOMATCH) return;
    if (found < 0) {
      throw Error(ErrorKind::data, compiled_->where + ": the split pattern failed on a text of " +
                                       std::to_string(text.size()) + " bytes: " + reason(found));
    }
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data.get());
    if (range[1] > range[0]) {
      matches.push_back({range[0], range[1]});
      at = range[1];
    } else {  // an empty match: go on one character further
      at = range[1] + 1;
      while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    }
  }
}

std::string Regex::quote(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!word && static_cast<unsigned char>(c) < 0x80) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace tapir::text
