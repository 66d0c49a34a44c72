// Split patterns that most tokenizers have, written out as code: many times faster than a regular
// expression engine, and the same words (a property test holds them to PCRE2's).
#pragma once

#include <string_view>
#include <vector>

namespace tapir::text {

// GPT-2's own pattern, what ByteLevel uses unless it is told not to.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
// Qwen 1.5 to 3: digits stand alone.
inline constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Llama 3: digits in threes.
inline constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Appends the words of valid UTF-8, in order: every byte is in one of them.
using WordScanner = void (*)(std::string_view text, std::vector<std::string_view>& words);

// The scanner of a pattern; nullptr: there is none, use Regex.
WordScanner find_word_scanner(std::string_view pattern);

}  // namespace tapir::text
