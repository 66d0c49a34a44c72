#include "text/unicode.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>

#include <unicode/uchar.h>
#include <unicode/uniset.h>

#include "base/error.h"

namespace tapir::text {
namespace {

struct NewerRange {
  char32_t first;
  char32_t last;
  std::string_view category;
};

// By code point.
constexpr NewerRange kNewer[] = {
#include "text/newer_characters.inc"
};

constexpr std::array<CharClass, 128> ascii_classes() {
  std::array<CharClass, 128> classes{};
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) classes[c] = kLetter;
    if (c >= '0' && c <= '9') classes[c] = kNumber;
    if (c == ' ' || (c >= '\t' && c <= '\r')) classes[c] = kSpace;
    if (c == '\n' || c == '\r') classes[c] = kSpace | kNewline;
  }
  return classes;
}

CharClass classify_newer(char32_t point) {
  const auto* range = std::lower_bound(std::begin(kNewer), std::end(kNewer), point,
                                       [](const NewerRange& r, char32_t p) { return r.last < p; });
  if (range == std::end(kNewer) || range->first > point) return kSymbol;
  if (range->category.front() == 'L') return kLetter;
  return range->category.front() == 'N' ? kNumber : kSymbol;
}

// "\x{870}-\x{887}"
void append_range(char32_t first, char32_t last, std::string& ranges) {
  std::array<char, 40> text{};
  const int length = std::snprintf(text.data(), text.size(), R"(\x{%X}-\x{%X})",
                                   static_cast<unsigned>(first), static_cast<unsigned>(last));
  ranges.append(text.data(), static_cast<std::size_t>(length));
}

}  // namespace

const std::array<CharClass, 128> kAsciiClasses = ascii_classes();

CharClass classify(char32_t point) {
  if (point < 0x80) return kAsciiClasses[point];
  const auto c = static_cast<UChar32>(point);
  const std::uint32_t category = U_MASK(u_charType(c));
  if ((category & U_GC_L_MASK) != 0) return kLetter;
  if ((category & U_GC_N_MASK) != 0) return kNumber;
  if (category == U_GC_CN_MASK) return classify_newer(point);
  return u_isUWhiteSpace(c) ? kSpace : kSymbol;
}

std::string newer_characters(std::string_view category) {
  std::string ranges;
  for (const NewerRange& range : kNewer) {
    if (range.category.starts_with(category)) append_range(range.first, range.last, ranges);
  }
  return ranges;
}

std::string punctuation_class() {
  UErrorCode status = U_ZERO_ERROR;
  const icu::UnicodeSet set(UNICODE_STRING_SIMPLE(R"([[:P:]&[:Age=8.0:]])"), status);
  check(U_SUCCESS(status), "ICU knows categories and ages");
  std::string ranges = R"([!-\/:-@\[-`{-~)";
  for (int32_t i = 0; i < set.getRangeCount(); ++i) {
    append_range(static_cast<char32_t>(set.getRangeStart(i)),
                 static_cast<char32_t>(set.getRangeEnd(i)), ranges);
  }
  return ranges + "]";
}

}  // namespace tapir::text
