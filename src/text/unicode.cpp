#include "text/unicode.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>

#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/utf8.h>

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

// Capitals that Unicode 16 and 17 brought.
struct NewerCase {
  char32_t first;
  char32_t last;
  char32_t lower;  // of the first
};
constexpr NewerCase kNewerCases[] = {{0x1C89, 0x1C89, 0x1C8A},    {0xA7CB, 0xA7CB, 0x264},
                                     {0xA7CC, 0xA7CC, 0xA7CD},    {0xA7CE, 0xA7CE, 0xA7CF},
                                     {0xA7D2, 0xA7D2, 0xA7D3},    {0xA7D4, 0xA7D4, 0xA7D5},
                                     {0xA7DA, 0xA7DA, 0xA7DB},    {0xA7DC, 0xA7DC, 0x19B},
                                     {0x10D50, 0x10D65, 0x10D70}, {0x16EA0, 0x16EB8, 0x16EBB}};

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

// U8_NEXT and U8_PREV give -1 where there is no character.
static_assert(static_cast<char32_t>(UChar32{-1}) == kNoCharacter);

Character first_character(std::string_view text) {
  text = text.substr(0, U8_MAX_LENGTH);
  UChar32 point = 0;
  std::int32_t at = 0;
  U8_NEXT(text.data(), at, static_cast<std::int32_t>(text.size()), point);
  return {static_cast<char32_t>(point), static_cast<std::size_t>(at)};
}

Character last_character(std::string_view text) {
  if (text.size() > U8_MAX_LENGTH) text.remove_prefix(text.size() - U8_MAX_LENGTH);
  UChar32 point = 0;
  auto at = static_cast<std::int32_t>(text.size());
  U8_PREV(text.data(), 0, at, point);
  return {static_cast<char32_t>(point), text.size() - static_cast<std::size_t>(at)};
}

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

char32_t lower_case(char32_t point) {
  for (const NewerCase& range : kNewerCases) {
    if (point >= range.first && point <= range.last) return range.lower + (point - range.first);
  }
  return static_cast<char32_t>(u_tolower(static_cast<UChar32>(point)));
}

std::string number_class() { return R"([\p{N}\x{11DE0}-\x{11DE9}\x{16FF4}-\x{16FF6}])"; }

std::string punctuation_class() {
  UErrorCode status = U_ZERO_ERROR;
  const icu::UnicodeSet set(UNICODE_STRING_SIMPLE(R"([[:P:]&[:Age=8.0:]])"), status);
  check(U_SUCCESS(status), "ICU knows categories and ages");
  // Two that were punctuation then have become a symbol and a mark.
  std::string ranges = R"([!-\/:-@\[-`{-~\x{166D}\x{111C9})";
  for (int32_t i = 0; i < set.getRangeCount(); ++i) {
    append_range(static_cast<char32_t>(set.getRangeStart(i)),
                 static_cast<char32_t>(set.getRangeEnd(i)), ranges);
  }
  return ranges + "]";
}

}  // namespace tapir::text
