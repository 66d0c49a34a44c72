// White space at the edges of texts. Invalid UTF-8 is no white space.
#pragma once

#include <string_view>

namespace tapir::text {

// Unicode's White_Space, as the `tokenizers` package has it.
bool is_white_space(char32_t point);
// As Python's str.strip() and so Jinja's trim have it: \x1c to \x1f too.
bool is_python_space(char32_t point);

using SpaceTest = bool (*)(char32_t point);

std::string_view strip_space_left(std::string_view text, SpaceTest is_space = is_python_space);
std::string_view strip_space_right(std::string_view text, SpaceTest is_space = is_python_space);
std::string_view strip_space(std::string_view text, SpaceTest is_space = is_python_space);

}  // namespace tapir::text
