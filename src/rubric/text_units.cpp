#include "rubric/text_units.h"

#include <memory>

#include <unicode/brkiter.h>
#include <unicode/filteredbrk.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include "base/error.h"

namespace tapir::rubric {
namespace {

constexpr UChar32 kUnknown = 0xFFFD;

// The character at `at`, which moves behind it.
UChar32 next_character(std::string_view text, std::size_t& at) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  UChar32 point = 0;
  U8_NEXT(bytes, at, text.size(), point);
  return point < 0 ? kUnknown : point;
}

UChar32 previous_character(std::string_view text, std::size_t& at) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  auto index = static_cast<std::int32_t>(at);  // the macro knows no other type
  UChar32 point = 0;
  U8_PREV(bytes, 0, index, point);
  at = static_cast<std::size_t>(index);
  return point < 0 ? kUnknown : point;
}

bool is_letter(UChar32 point) { return (U_GET_GC_MASK(point) & U_GC_L_MASK) != 0; }

bool is_word_character(UChar32 point) {
  return point == '_' || (U_GET_GC_MASK(point) & (U_GC_L_MASK | U_GC_N_MASK)) != 0;
}

bool is_space(UChar32 point) { return u_isUWhiteSpace(point) || (point >= 0x1C && point <= 0x1F); }

void append(std::string& out, UChar32 point) {
  char bytes[U8_MAX_LENGTH];
  std::int32_t length = 0;
  U8_APPEND_UNSAFE(bytes, length, point);
  out.append(bytes, static_cast<std::size_t>(length));
}

// Line ends and other white space become single blanks, so that they end no sentence.
std::string on_one_line(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const UChar32 point = next_character(text, at);
    if (!is_space(point)) {
      append(out, point);
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  return out;
}

bool has_letter(const icu::UnicodeString& text, std::int32_t from, std::int32_t to) {
  for (std::int32_t at = from; at < to; at = text.moveIndex32(at, 1)) {
    if (is_letter(text.char32At(at))) return true;
  }
  return false;
}

std::unique_ptr<icu::BreakIterator> make_sentence_breaks() {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Locale english("en");
  std::unique_ptr<icu::BreakIterator> plain(
      icu::BreakIterator::createSentenceInstance(english, status));
  const std::unique_ptr<icu::FilteredBreakIteratorBuilder> builder(
      icu::FilteredBreakIteratorBuilder::createInstance(english, status));
  check(U_SUCCESS(status) && plain != nullptr && builder != nullptr, "ICU has its sentence rules");
  for (const char16_t* missing : {u"Dr.", u"St.", u"e.g.", u"i.e.", u"cf."})
    builder->suppressBreakAfter(icu::UnicodeString(missing), status);
  std::unique_ptr<icu::BreakIterator> filtered(builder->build(plain.release(), status));
  check(U_SUCCESS(status) && filtered != nullptr, "ICU has its list of abbreviations");
  return filtered;
}

// What ends a word of capitals besides white space.
bool parts_capital_words(UChar32 point) {
  return is_space(point) ||
         (point < 0x80 &&
          std::string_view(",;:!?()[]{}<>\"*#/|`~=+").find(static_cast<char>(point)) !=
              std::string_view::npos);
}

}  // namespace

std::string lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) append(out, u_tolower(next_character(text, at)));
  return out;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  std::size_t start = std::string_view::npos;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t here = at;
    const bool inside = is_word_character(next_character(text, at));
    if (inside && start == std::string_view::npos) start = here;
    if (!inside && start != std::string_view::npos) {
      found.push_back(text.substr(start, here - start));
      start = std::string_view::npos;
    }
  }
  if (start != std::string_view::npos) found.push_back(text.substr(start));
  return found;
}

bool starts_with_word_character(std::string_view text) {
  std::size_t at = 0;
  return !text.empty() && is_word_character(next_character(text, at));
}

bool ends_with_word_character(std::string_view text) {
  std::size_t at = text.size();
  return !text.empty() && is_word_character(previous_character(text, at));
}

std::int64_t count_sentences(std::string_view text) {
  static const std::unique_ptr<icu::BreakIterator> prototype = make_sentence_breaks();
  const std::unique_ptr<icu::BreakIterator> breaks(prototype->clone());
  const std::string line = on_one_line(text);
  const icu::UnicodeString wide = icu::UnicodeString::fromUTF8(line);
  breaks->setText(wide);
  std::int64_t count = 0;
  std::int32_t start = breaks->first();
  for (std::int32_t end = breaks->next(); end != icu::BreakIterator::DONE; end = breaks->next()) {
    count += has_letter(wide, start, end) ? 1 : 0;
    start = end;
  }
  return count;
}

std::int64_t count_letter(std::string_view text, std::string_view letter) {
  std::size_t at = 0;
  if (letter.empty()) return 0;
  const UChar32 wanted = u_tolower(next_character(letter, at));
  if (at != letter.size()) return 0;
  std::int64_t count = 0;
  for (at = 0; at < text.size();) count += u_tolower(next_character(text, at)) == wanted ? 1 : 0;
  return count;
}

std::int64_t count_capital_words(std::string_view text) {
  std::int64_t count = 0;
  bool upper = false;
  bool small = false;
  const auto end_word = [&] {
    count += upper && !small ? 1 : 0;
    upper = small = false;
  };
  for (std::size_t at = 0; at < text.size();) {
    const UChar32 point = next_character(text, at);
    if (parts_capital_words(point)) {
      end_word();
    } else {
      upper = upper || u_isUUppercase(point);
      small = small || u_isULowercase(point);
    }
  }
  end_word();
  return count;
}

Case case_of(std::string_view text) {
  bool upper = false;
  bool small = false;
  for (std::size_t at = 0; at < text.size();) {
    const UChar32 point = next_character(text, at);
    upper = upper || u_isUUppercase(point) || u_istitle(point);
    small = small || u_isULowercase(point) || u_istitle(point);
  }
  if (upper && small) return Case::mixed;
  return upper ? Case::upper : small ? Case::lower : Case::none;
}

std::int64_t count_phrase(std::string_view text, std::string_view phrase, bool whole_words) {
  const std::string inside = lower(text);
  const std::string wanted = lower(phrase);
  if (wanted.empty()) return 0;
  const bool starts_word = whole_words && starts_with_word_character(wanted);
  const bool ends_word = whole_words && ends_with_word_character(wanted);
  std::int64_t count = 0;
  for (std::size_t at = inside.find(wanted); at != std::string::npos;) {
    const std::string_view before = std::string_view(inside).substr(0, at);
    const std::string_view behind = std::string_view(inside).substr(at + wanted.size());
    const bool goes_on = (starts_word && ends_with_word_character(before)) ||
                         (ends_word && starts_with_word_character(behind));
    count += goes_on ? 0 : 1;
    at = inside.find(wanted, goes_on ? at + 1 : at + wanted.size());
  }
  return count;
}

std::string_view strip(std::string_view text) {
  std::size_t start = 0;
  for (std::size_t at = 0; at < text.size() && is_space(next_character(text, at));) start = at;
  text.remove_prefix(start);
  std::size_t end = text.size();
  for (std::size_t at = end; at > 0 && is_space(previous_character(text, at));) end = at;
  return text.substr(0, end);
}

bool is_blank(std::string_view text) { return strip(text).empty(); }

std::vector<std::string_view> split_by(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  std::size_t start = 0;
  for (std::size_t at = text.find(separator); at != std::string_view::npos;
       at = text.find(separator, start)) {
    parts.push_back(text.substr(start, at - start));
    start = at + separator.size();
  }
  parts.push_back(text.substr(start));
  return parts;
}

}  // namespace tapir::rubric
