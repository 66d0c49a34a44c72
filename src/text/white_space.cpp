#include "text/white_space.h"

#include <unicode/uchar.h>

#include "text/unicode.h"

namespace tapir::text {

bool is_white_space(char32_t point) { return u_isUWhiteSpace(static_cast<UChar32>(point)) != 0; }

bool is_python_space(char32_t point) {
  return (point >= 0x1c && point <= 0x1f) || is_white_space(point);
}

std::string_view strip_space_left(std::string_view text, SpaceTest is_space) {
  while (!text.empty()) {
    const Character first = first_character(text);
    if (!is_space(first.point)) break;
    text.remove_prefix(first.length);
  }
  return text;
}

std::string_view strip_space_right(std::string_view text, SpaceTest is_space) {
  while (!text.empty()) {
    const Character last = last_character(text);
    if (!is_space(last.point)) break;
    text.remove_suffix(last.length);
  }
  return text;
}

std::string_view strip_space(std::string_view text, SpaceTest is_space) {
  return strip_space_right(strip_space_left(text, is_space), is_space);
}

}  // namespace tapir::text
