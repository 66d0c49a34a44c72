// Words, sentences and letters of an answer, as the checkers count them. Unicode by ICU. Total:
// bytes that are no UTF-8 count as one unknown character each. Internal to rubric.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tapir::rubric {

// Every character in lower case by itself (Python's lower(), but for the few letters that become
// two).
std::string lower(std::string_view text);

// Runs of letters, digits and underscores (Python's \w+). Views into text.
std::vector<std::string_view> words(std::string_view text);
bool starts_with_word_character(std::string_view text);
bool ends_with_word_character(std::string_view text);

// By the sentence rules of ICU with its list of English abbreviations and a few more ("Dr." ends no
// sentence, a line end alone neither). A piece without a letter ("1.") is none.
std::int64_t count_sentences(std::string_view text);

// Of the one character `letter`, whatever its case; nothing else than one character: 0.
std::int64_t count_letter(std::string_view text, std::string_view letter);

// Words that have capitals and no small letters ("A", "NASA", "WELL-KNOWN").
std::int64_t count_capital_words(std::string_view text);

enum class Case { none, lower, upper, mixed };  // none: there is no letter that has a case
Case case_of(std::string_view text);

// How often `phrase` is in `text`, counted from left to right without overlaps, whatever its case.
// whole_words: where no word goes on at its ends. An empty phrase: 0.
std::int64_t count_phrase(std::string_view text, std::string_view phrase, bool whole_words);

// Without Unicode white space at both ends (Python's strip()).
std::string_view strip(std::string_view text);
bool is_blank(std::string_view text);

std::vector<std::string_view> split_by(std::string_view text, std::string_view separator);

}  // namespace tapir::rubric
