// White space taken off as Python's str.strip() and so Jinja's trim do it: Unicode's.
#pragma once

#include <string_view>

namespace tapir::text {

std::string_view strip_space(std::string_view text);
std::string_view strip_space_left(std::string_view text);
std::string_view strip_space_right(std::string_view text);

}  // namespace tapir::text
