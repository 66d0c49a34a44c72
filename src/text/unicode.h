// Characters of UTF-8, and the classes of them that split patterns name, with the members that the
// `tokenizers` package sees: Unicode 16, where the libraries of the system may have an older
// version.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tapir::text {

// The first and the last character of a text that is not empty; kNoCharacter where its bytes are no
// UTF-8.
constexpr char32_t kNoCharacter = 0xFFFFFFFF;
struct Character {
  char32_t point = kNoCharacter;
  std::size_t length = 0;  // bytes
};
Character first_character(std::string_view text);
Character last_character(std::string_view text);

using CharClass = std::uint8_t;    // exactly one of these, kNewline beside kSpace
constexpr CharClass kSymbol = 0;   // [^\s\p{L}\p{N}]
constexpr CharClass kLetter = 1;   // \p{L}
constexpr CharClass kNumber = 2;   // \p{N}
constexpr CharClass kSpace = 4;    // \s
constexpr CharClass kNewline = 8;  // [\r\n]

// By ASCII character.
extern const std::array<CharClass, 128> kAsciiClasses;
CharClass classify(char32_t point);

// Ranges of PCRE2 syntax ("\x{870}-\x{887}...") that belong to the general category ("L", "Lu",
// "N") and are younger than Unicode 14; empty when there are none.
std::string newer_characters(std::string_view category);
// Of one letter by itself, by Unicode 17 as the reference has it; U+0130 alone would become two.
char32_t lower_case(char32_t point);
// The class of PCRE2 syntax that the Digits pre_tokenizer splits by: \p{N}, by Unicode 17.
std::string number_class();
// The class of PCRE2 syntax that the Punctuation pre_tokenizer splits by: that of ASCII, and \p{P}
// as Unicode 8 has it (the reference's own table).
std::string punctuation_class();

}  // namespace tapir::text
