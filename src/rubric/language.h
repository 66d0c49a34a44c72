// Which language a text is in, by the tables of CLD2: no model file, no randomness, no download.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tapir::rubric {

// An ISO 639-1 code ("en"). Variants of a language are one: "zh-cn", "zh-TW" and "zh" are "zh",
// "iw" is "he". Other text comes back in lower case.
std::string language_code(std::string_view code);

// Whether language_of() can say this code.
bool is_known_language(std::string_view code);

// The language of most of the text. Nothing where the text has no letters, or too few to tell.
// About 80 languages; a few words are often not enough, and close relatives (Norwegian and Danish,
// Malay and Indonesian) can be taken for each other.
std::optional<std::string> language_of(std::string_view text);

}  // namespace tapir::rubric
