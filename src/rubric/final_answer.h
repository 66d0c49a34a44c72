// Final answers that code can check: where a text states one, and whether two are the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tapir::rubric {

// The answer that the text marks as its final one: behind the last "####" (GSM8K), in the last
// \boxed{}, or behind the last "answer is", "answer:" or "answer =", up to the end of the sentence;
// or the whole text where it is nothing but a number, an expression of numbers or a choice.
// "####" and the whole text count only when what they give is such a value.
std::optional<std::string> final_answer(std::string_view text);

// The last number of a text that marks no answer ("... so she has 42 apples left.").
std::optional<std::string> last_number(std::string_view text);

// As choices ("B", "(b)", "B) 12 apples": the letter counts, A to J; a bare one in upper case),
// numbers ("1,234.50", "$1234.5", "1234.5 dollars", "50%" is 50), expressions (equal in value, with
// variables at three points; "x = 5" is 5), else as words (letters and digits, case folded).
// Numbers agree to 1e-6, relative above 1.
bool same_answer(std::string_view a, std::string_view b);

// Number, choice or expression of numbers: what code can check beyond comparing words.
bool is_checkable(std::string_view answer);

}  // namespace tapir::rubric
