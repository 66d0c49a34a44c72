#include "text/white_space.h"

#include <algorithm>
#include <vector>

namespace tapir::text {
namespace {

// Of the white space character that the text begins with; 0: none.
std::size_t space_length(std::string_view text) {
  static const std::vector<std::string_view> spaces = {
      "\t",     "\n",     "\v",     "\f",     "\r",     "\x1c",   "\x1d",   "\x1e",
      "\x1f",   " ",      "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002",
      "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
      "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};
  for (const std::string_view space : spaces) {
    if (text.starts_with(space)) return space.size();
  }
  return 0;
}

}  // namespace

std::string_view strip_space_left(std::string_view text) {
  while (const std::size_t length = space_length(text)) text.remove_prefix(length);
  return text;
}

std::string_view strip_space_right(std::string_view text) {
  std::size_t end = 0;  // behind the last character that is not white space
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = space_length(text.substr(at));
    at += std::max<std::size_t>(length, 1);
    if (length == 0) end = at;
  }
  return text.substr(0, end);
}

std::string_view strip_space(std::string_view text) {
  return strip_space_right(strip_space_left(text));
}

}  // namespace tapir::text
