// What the readers of judgments share: numbers, lines, the scale, and text without its dress.
// Internal to prompting.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tapir::prompting {

// The scale of every judge.
inline bool on_scale(double score) { return score >= 1 && score <= 10; }

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c);  // bytes of other scripts too

// A decimal number at the start of text, without exponent; text moves behind it.
std::optional<double> take_number(std::string_view& text);
bool take_word(std::string_view& text, std::string_view word);
void skip_space(std::string_view& text);

// Trimmed, without the empty ones.
std::vector<std::string_view> filled_lines(std::string_view text);

// A score line is short; remarks behind it are cut off.
inline constexpr std::size_t kLongestScoreLine = 200;

// A line in lower case without markup that only changes looks: stars, underscores, backquotes,
// hashes, quotation marks, square brackets, and a bullet or caret at the start; fullwidth colons
// and brackets become plain ones.
std::string undressed(std::string_view line);

// Takes "7", "7/10", "7 out of 10", and a remark that is set off ("(wrong)", "- wrong", ", wrong").
// Nothing when the number goes on as a calculation or a sentence ("10 - 2", "10 units").
std::optional<double> tolerant_number(std::string_view text);

}  // namespace tapir::prompting
