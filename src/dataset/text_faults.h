// What is wrong with one text: its encoding, its length, its script; and is an answer a refusal?
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tapir::dataset {

// "" for a sound text, else what was found: "replacement character" (U+FFFD: bytes were lost),
// "control character", "UTF-8 read as Latin-1" (so that an e with an acute accent has become two
// letters).
std::string encoding_fault(std::string_view text);

// An answer that declines ("I'm sorry, but I can't help with that", "As an AI language model, I
// cannot ..."). Only its beginning is looked at; English only.
bool is_refusal(std::string_view answer);

// The writing systems that letters are counted by. Han, kana and Hangul count as one.
enum class Script { latin, greek, cyrillic, hebrew, arabic, indic, thai, east_asian, other };
std::string_view to_string(Script script);

// The script that most of the text's letters belong to; `latin` for a text without a letter.
Script main_script(std::string_view text);

struct LengthLimits {
  std::size_t min_characters = 10;
  std::size_t max_characters = 8000;
};
// "" or "too_short", "too_long". White space at the ends does not count.
std::string length_fault(std::string_view text, const LengthLimits& limits);

}  // namespace tapir::dataset
