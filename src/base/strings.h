// Small text helpers on bytes and UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tapir {

std::string_view trim(std::string_view text);  // ASCII white space at both ends
std::vector<std::string> split(std::string_view text, char separator);
std::vector<std::string> split_whitespace(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
// "3 refused, 1 slow": for a line of words; empty for no counts.
std::string list_counts(const std::map<std::string, std::int64_t>& counts);
std::string lower_ascii(std::string_view text);
std::string replace_all(std::string text, std::string_view from, std::string_view to);

// Levenshtein distance on bytes.
std::size_t edit_distance(std::string_view a, std::string_view b);
// The nearest of the known words, when near enough to be meant ("did you mean"); nothing otherwise.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

bool is_valid_utf8(std::string_view text);
// Invalid bytes become U+FFFD, as Python's errors="replace" does.
std::string valid_utf8(std::string_view text);
std::size_t count_code_points(std::string_view utf8);

}  // namespace tapir
